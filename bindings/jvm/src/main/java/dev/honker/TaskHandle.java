package dev.honker;

/** A task, to call it. */
public final class TaskHandle {
    private final Database db;
    private final String name;
    private final String queue;
    private final TaskOptions options;

    TaskHandle(Database db, String name, String queue, TaskOptions options) {
        this.db = db;
        this.name = name;
        this.queue = queue;
        this.options = options;
    }

    /**
     * The name.
     *
     * @return the name
     */
    public String name() {
        return name;
    }

    /**
     * Enqueues a call.
     *
     * @param argsJson the positional arguments, a JSON array
     * @param kwargsJson the keyword arguments, a JSON object
     * @return the result to come
     */
    public TaskResult enqueue(String argsJson, String kwargsJson) {
        Queue on = on();
        return new TaskResult(on, on.enqueue(TaskRegistry.envelope(name, argsJson, kwargsJson), job()));
    }

    /**
     * Enqueues a call if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param argsJson the positional arguments, a JSON array
     * @param kwargsJson the keyword arguments, a JSON object
     * @return the result to come
     */
    public TaskResult enqueue(Transaction tx, String argsJson, String kwargsJson) {
        Queue on = on();
        return new TaskResult(on, on.enqueue(tx, TaskRegistry.envelope(name, argsJson, kwargsJson), job()));
    }

    private Queue on() {
        return db.queue(
                queue, QueueOptions.builder().maxAttempts(options.retries()).build());
    }

    private EnqueueOptions job() {
        return EnqueueOptions.builder()
                .priority(options.priority())
                .expires(options.expires())
                .build();
    }
}
