package dev.honker;

import java.util.Optional;

/**
 * A queue whose payloads are values.
 *
 * @param <T> the type of the payloads
 */
public final class TypedQueue<T> {
    private final Queue queue;
    private final JsonCodec<T> codec;

    TypedQueue(Queue queue, JsonCodec<T> codec) {
        this.queue = queue;
        this.codec = codec;
    }

    /**
     * A claimed job with its payload.
     *
     * @param <T> the type of the payload
     * @param job the job, to settle it
     * @param payload the payload
     */
    public record TypedJob<T>(Job job, T payload) {}

    /**
     * Works on jobs with their payloads.
     *
     * @param <T> the type of the payloads
     */
    @FunctionalInterface
    public interface TypedJobHandler<T> {
        /**
         * Works on a job, as {@link JobHandler#handle} does.
         *
         * @param job the job with its payload
         * @throws Exception retries the job
         */
        void handle(TypedJob<T> job) throws Exception;
    }

    /**
     * The queue of JSON texts.
     *
     * @return the queue
     */
    public Queue queue() {
        return queue;
    }

    /**
     * Enqueues a job that is due now.
     *
     * @param payload the payload
     * @return the id of the job
     */
    public long enqueue(T payload) {
        return queue.enqueue(codec.encode(payload));
    }

    /**
     * Enqueues a job.
     *
     * @param payload the payload
     * @param options the options
     * @return the id of the job
     */
    public long enqueue(T payload, EnqueueOptions options) {
        return queue.enqueue(codec.encode(payload), options);
    }

    /**
     * Enqueues a job that is due now if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param payload the payload
     * @return the id of the job
     */
    public long enqueue(Transaction tx, T payload) {
        return queue.enqueue(tx, codec.encode(payload));
    }

    /**
     * Claims a due job.
     *
     * @param workerId the worker
     * @return the job, or empty if none is due
     */
    public Optional<TypedJob<T>> claimOne(String workerId) {
        return queue.claimOne(workerId).map(this::typed);
    }

    /**
     * Starts a worker, as {@link Queue#worker(String, JobHandler)} does.
     *
     * @param workerId the worker
     * @param handler works on the jobs
     * @return the running worker; close it
     */
    public WorkerHandle worker(String workerId, TypedJobHandler<T> handler) {
        return worker(workerId, handler, WorkerOptions.defaults());
    }

    /**
     * Starts a worker, as {@link Queue#worker(String, JobHandler, WorkerOptions)} does.
     *
     * @param workerId the worker
     * @param handler works on the jobs
     * @param options the options
     * @return the running worker; close it
     */
    public WorkerHandle worker(String workerId, TypedJobHandler<T> handler, WorkerOptions options) {
        return queue.worker(workerId, job -> handler.handle(typed(job)), options);
    }

    private TypedJob<T> typed(Job job) {
        return new TypedJob<>(job, job.payload(codec));
    }
}
