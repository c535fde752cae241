package dev.honker;

/** Runs the calls of a task. */
@FunctionalInterface
public interface TaskHandler {
    /**
     * Runs a call.
     *
     * @param argsJson the positional arguments, a JSON array
     * @param kwargsJson the keyword arguments, a JSON object
     * @return the result as JSON, or null for none
     * @throws Exception retries the call
     */
    String run(String argsJson, String kwargsJson) throws Exception;
}
