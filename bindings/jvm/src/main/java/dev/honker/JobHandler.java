package dev.honker;

/** Works on jobs. */
@FunctionalInterface
public interface JobHandler {
    /**
     * Works on a job. A return acknowledges it.
     *
     * @param job the job
     * @throws Exception retries the job: a {@link RetryableException} after its delay, any other after the default
     *     delay
     */
    void handle(Job job) throws Exception;
}
