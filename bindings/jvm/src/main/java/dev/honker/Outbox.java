package dev.honker;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Delivers payloads to another system, each at least once. A failed delivery is retried after the base backoff, then
 * after twice as long each time, up to an hour; up to a tenth is added.
 */
public final class Outbox {
    private static final long LONGEST_BACKOFF_S = 3600;
    private static final long MOST_DOUBLINGS = 20;
    private static final int TENTH = 10;

    private final String name;
    private final Queue queue;
    private final Delivery delivery;
    private final OutboxOptions options;

    Outbox(Database db, String name, Delivery delivery, OutboxOptions options) {
        this.name = Arguments.required("name", name);
        this.delivery = delivery;
        this.options = Arguments.required("options", options);
        queue = db.queue("_outbox:" + name, new QueueOptions(options.visibilityTimeout(), options.maxAttempts()));
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
     * The queue that has the payloads as jobs.
     *
     * @return the queue
     */
    public Queue queue() {
        return queue;
    }

    /**
     * Records a payload to deliver.
     *
     * @param json the payload
     * @return the id of its job
     */
    public long enqueue(String json) {
        return queue.enqueue(json);
    }

    /**
     * Records a payload to deliver.
     *
     * @param json the payload
     * @param job the options
     * @return the id of its job
     */
    public long enqueue(String json, EnqueueOptions job) {
        return queue.enqueue(json, job);
    }

    /**
     * Records a payload that is delivered if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param json the payload
     * @return the id of its job
     */
    public long enqueue(Transaction tx, String json) {
        return queue.enqueue(tx, json);
    }

    /**
     * Records a payload that is delivered if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param json the payload
     * @param job the options
     * @return the id of its job
     */
    public long enqueue(Transaction tx, String json, EnqueueOptions job) {
        return queue.enqueue(tx, json, job);
    }

    /**
     * Starts a worker that delivers, with the default options.
     *
     * @param workerId the worker
     * @return the running worker; close it
     */
    public WorkerHandle worker(String workerId) {
        return worker(workerId, WorkerOptions.defaults());
    }

    /**
     * Starts a worker that delivers. The default delay of a retry is that of the backoff.
     *
     * @param workerId the worker; its threads append {@code -0}, {@code -1} and so on
     * @param worker the options
     * @return the running worker; close it
     */
    public WorkerHandle worker(String workerId, WorkerOptions worker) {
        JobHandler deliver = job -> delivery.deliver(job.payloadJson());
        Worker made = new Worker(queue, deliver, worker.idlePollInterval(), this::backoff);
        return queue.start(workerId, made, worker.concurrency(), worker.executor());
    }

    private Duration backoff(long attempt) {
        long base = options.baseBackoff().toMillis();
        long longest = Math.max(Duration.ofSeconds(LONGEST_BACKOFF_S).toMillis(), base);
        long delay = Math.min(base << Math.min(attempt - 1, MOST_DOUBLINGS), longest);
        return Duration.ofMillis(delay + ThreadLocalRandom.current().nextLong(delay / TENTH + 1));
    }
}
