package dev.honker;

import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/** A queue of jobs. Payloads are JSON. Threads may share it. */
public final class Queue {
    private static final long NANOS_PER_SECOND = TimeUnit.SECONDS.toNanos(1);
    // A claim follows a fruitless one although a job is due after these pauses: another worker may have been first, or
    // the job may wait for a limit of its queue.
    private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
    private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final int MOST_DOUBLINGS = 20;

    private final Database db;
    private final String name;
    private final QueueOptions options;

    Queue(Database db, String name, QueueOptions options) {
        this.db = db;
        this.name = name;
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
     * The options.
     *
     * @return the options
     */
    public QueueOptions options() {
        return options;
    }

    Database db() {
        return db;
    }

    /**
     * Enqueues a job that is due now.
     *
     * @param json the payload
     * @return the id of the job
     */
    public long enqueue(String json) {
        return enqueue(json, EnqueueOptions.defaults());
    }

    /**
     * Enqueues a job.
     *
     * @param json the payload
     * @param job the options
     * @return the id of the job
     * @throws HonkerInvalidOptionException if an option is outside its range
     */
    public long enqueue(String json, EnqueueOptions job) {
        return db.connections().write(each -> enqueue(each, json, job));
    }

    /**
     * Enqueues a job that is due now if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param json the payload
     * @return the id of the job
     */
    public long enqueue(Transaction tx, String json) {
        return enqueue(tx, json, EnqueueOptions.defaults());
    }

    /**
     * Enqueues a job if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param json the payload
     * @param job the options
     * @return the id of the job
     */
    public long enqueue(Transaction tx, String json, EnqueueOptions job) {
        return tx.run(each -> enqueue(each, json, job));
    }

    private long enqueue(SqlConnection connection, String json, EnqueueOptions job) {
        return connection.integer(
                "SELECT honker_enqueue(?, ?, ?)",
                name,
                Arguments.required("json", json),
                job.json(options.maxAttempts()));
    }

    /**
     * Enqueues jobs that are due now, all or none.
     *
     * @param payloads their payloads
     * @return their ids, in order
     */
    public List<Long> enqueueMany(List<String> payloads) {
        return enqueueMany(payloads, EnqueueOptions.defaults());
    }

    /**
     * Enqueues jobs, all or none. Each has the options.
     *
     * @param payloads their payloads
     * @param job the options
     * @return their ids, in order
     */
    public List<Long> enqueueMany(List<String> payloads, EnqueueOptions job) {
        return db.connections().write(each -> enqueueMany(each, payloads, job));
    }

    /**
     * Enqueues jobs if and only if the transaction commits. Each has the options.
     *
     * @param tx the transaction
     * @param payloads their payloads
     * @param job the options
     * @return their ids, in order
     */
    public List<Long> enqueueMany(Transaction tx, List<String> payloads, EnqueueOptions job) {
        return tx.run(each -> enqueueMany(each, payloads, job));
    }

    @SuppressWarnings("unchecked")
    private List<Long> enqueueMany(SqlConnection connection, List<String> payloads, EnqueueOptions job) {
        String ids = connection.text(
                "SELECT honker_enqueue_many(?, ?, ?, ?, ?, ?, ?, ?)",
                name,
                payloads.stream().map(Queue::oneValue).collect(Collectors.joining(",", "[", "]")),
                Arguments.seconds(job.runAt()),
                Arguments.seconds(job.delay()),
                job.priority(),
                job.maxAttempts() == null ? options.maxAttempts() : job.maxAttempts(),
                Arguments.seconds(job.expires()),
                Json.write(job.flow()));
        return (List<Long>) Json.parse(ids);
    }

    /** The payload, if it is one JSON value: "1, 2" would be two jobs. */
    private static String oneValue(String json) {
        Json.checked("payloads", json);
        return json;
    }

    /**
     * Claims a due job.
     *
     * @param workerId the worker, 1 to 255 bytes
     * @return the job, or empty if none is due
     */
    public Optional<Job> claimOne(String workerId) {
        return claimBatch(workerId, 1).stream().findFirst();
    }

    /**
     * Claims due jobs: the highest priority first, then the earliest.
     *
     * @param workerId the worker, 1 to 255 bytes
     * @param n the largest number, 0 to 10,000
     * @return the jobs
     */
    public List<Job> claimBatch(String workerId, int n) {
        Number lease = Arguments.seconds(options.visibilityTimeout());
        String claimed = db.connections()
                .write(each -> each.text("SELECT honker_claim_batch(?, ?, ?, ?)", name, workerId, n, lease));
        return Json.objects(claimed).stream().map(row -> new Job(this, row)).toList();
    }

    /**
     * Claims the next job, and waits without polling while none is due.
     *
     * @param workerId the worker
     * @return the job
     * @throws HonkerInterruptedException if the thread is interrupted; no job is claimed then
     * @throws HonkerClosedException if the database is closed
     */
    public Job claimNext(String workerId) {
        while (true) {
            Optional<Job> job = claimNext(workerId, null);
            if (job.isPresent()) {
                return job.get();
            }
        }
    }

    /**
     * Claims the next job, and waits without polling while none is due.
     *
     * @param workerId the worker
     * @param timeout the longest wait, or null for none
     * @return the job, or empty after the timeout
     * @throws HonkerInterruptedException if the thread is interrupted; no job is claimed then
     * @throws HonkerClosedException if the database is closed
     */
    public Optional<Job> claimNext(String workerId, Duration timeout) {
        return next(workerId, timeout, Waiting.FALLBACK, Waiting.NEVER);
    }

    Optional<Job> next(String workerId, Duration timeout, Duration idlePoll, BooleanSupplier isStopped) {
        int[] fruitless = {0};
        return Waiting.until(
                db,
                Waiting.deadline(timeout),
                isStopped,
                () -> claimOne(workerId).orElse(null),
                () -> {
                    long due = untilDue(idlePoll);
                    return due > 0 ? due : pause(fruitless[0]++);
                });
    }

    private static long pause(int fruitless) {
        long doubled = FIRST_PAUSE_NANOS << Math.min(fruitless, MOST_DOUBLINGS);
        return Math.min(doubled, LONGEST_PAUSE_NANOS);
    }

    /** The span until a job becomes due or a lease ends, at most the given one. */
    private long untilDue(Duration longest) {
        Object left = db.connections()
                .read(each -> each.one("SELECT nullif(honker_queue_next_claim_at(?), 0) - honker_clock()", name));
        if (left == null) {
            return longest.toNanos();
        }
        double nanos = ((Number) left).doubleValue() * NANOS_PER_SECOND;
        return Math.max(0, Math.min((long) nanos, longest.toNanos()));
    }

    /**
     * The instant at which a job becomes due or a lease ends.
     *
     * @return the instant, which may have passed; empty if the queue is empty
     */
    public Optional<Instant> nextClaimAt() {
        Object at = db.connections().read(each -> each.one("SELECT nullif(honker_queue_next_claim_at(?), 0)", name));
        return Optional.ofNullable(Arguments.instant(at));
    }

    /**
     * Acknowledges a job, see {@link Job#ack()}.
     *
     * @param job the job
     * @return true if its worker held it
     */
    public boolean ack(Job job) {
        return job.ack();
    }

    /**
     * Acknowledges a job by its id.
     *
     * @param id the id
     * @param workerId the worker that has claimed it
     * @return true if the worker held it
     */
    public boolean ack(long id, String workerId) {
        return db.connections().write(each -> each.flag("SELECT honker_ack(?, ?)", id, workerId));
    }

    /**
     * Acknowledges jobs by their ids in one transaction.
     *
     * @param ids the ids
     * @param workerId the worker that has claimed them
     * @return the number of jobs that the worker held
     */
    public long ackBatch(Collection<Long> ids, String workerId) {
        String json = Json.write(List.copyOf(ids));
        return db.connections().write(each -> each.integer("SELECT honker_ack_batch(?, ?)", json, workerId));
    }

    /**
     * Retries a job by its id, see {@link Job#retry}.
     *
     * @param id the id
     * @param workerId the worker that has claimed it
     * @param delay the delay of the next attempt
     * @param error the reason; null counts as empty
     * @return true if the worker held it
     */
    public boolean retry(long id, String workerId, Duration delay, String error) {
        Number seconds = Arguments.seconds(Arguments.required("delay", delay));
        return db.connections()
                .write(each -> each.flag("SELECT honker_retry(?, ?, ?, ?)", id, workerId, seconds, Job.text(error)));
    }

    /**
     * Makes a job a dead letter by its id.
     *
     * @param id the id
     * @param workerId the worker that has claimed it
     * @param error the reason; null counts as empty
     * @return true if the worker held it
     */
    public boolean fail(long id, String workerId, String error) {
        return db.connections().write(each -> each.flag("SELECT honker_fail(?, ?, ?)", id, workerId, Job.text(error)));
    }

    /**
     * Puts a job off by its id, see {@link Job#snooze}.
     *
     * @param id the id
     * @param workerId the worker that has claimed it
     * @param delay the earliest next claim from now, 0 or more
     * @return true if the worker held it
     */
    public boolean snooze(long id, String workerId, Duration delay) {
        Number seconds = Arguments.seconds(Arguments.required("delay", delay));
        return db.connections().write(each -> each.flag("SELECT honker_snooze(?, ?, ?)", id, workerId, seconds));
    }

    /**
     * Renews a lease by the id of its job.
     *
     * @param id the id
     * @param workerId the worker that has claimed it
     * @param extend the length of the lease from now
     * @return true if the worker holds it
     */
    public boolean heartbeat(long id, String workerId, Duration extend) {
        Number seconds = Arguments.seconds(extend);
        return db.connections().write(each -> each.flag("SELECT honker_heartbeat(?, ?, ?)", id, workerId, seconds));
    }

    /**
     * Cancels a job. The worker of a claimed one loses it.
     *
     * @param id the id
     * @return true if the job was removed
     */
    public boolean cancel(long id) {
        return db.connections().write(each -> each.flag("SELECT honker_cancel(?, ?)", id, name));
    }

    /**
     * A job that waits or is claimed.
     *
     * @param id the id
     * @return the job, or empty if it has ended or is in another queue
     */
    public Optional<JobRow> getJob(long id) {
        String row = db.connections().read(each -> each.text("SELECT honker_get_job(?, ?)", id, name));
        return row == null || row.isEmpty() ? Optional.empty() : Optional.of(JobRow.read(row));
    }

    /**
     * Makes a dead letter wait again with all its attempts.
     *
     * @param id the id
     * @return true if there was one
     */
    public boolean requeue(long id) {
        return db.connections().write(each -> each.flag("SELECT honker_requeue(?, ?)", id, name));
    }

    /**
     * Stops claims in every process until {@link #resume}. Enqueueing and settling go on.
     *
     * @return true if the queue was running
     */
    public boolean pause() {
        return db.connections().write(each -> each.flag("SELECT honker_queue_pause(?)", name));
    }

    /**
     * Allows claims again.
     *
     * @return true if the queue was paused
     */
    public boolean resume() {
        return db.connections().write(each -> each.flag("SELECT honker_queue_resume(?)", name));
    }

    /**
     * Changes the settings of the queue, which every process obeys. A lower limit stops nothing that runs.
     *
     * @param update the changes
     * @return all settings
     * @throws HonkerInvalidOptionException if a setting is outside its range
     */
    public QueueSettings configure(QueueUpdate update) {
        String json = Arguments.required("update", update).json();
        return QueueSettings.read(
                db.connections().write(each -> each.text("SELECT honker_queue_configure(?, ?)", name, json)));
    }

    /**
     * The settings of the queue.
     *
     * @return the settings
     */
    public QueueSettings settings() {
        return QueueSettings.read(db.connections().read(each -> each.text("SELECT honker_queue_settings(?)", name)));
    }

    /**
     * Counts the jobs by state.
     *
     * @return the counts, all of one moment
     */
    public QueueStats stats() {
        return QueueStats.read(db.connections().read(each -> each.text("SELECT honker_queue_stats(?)", name)));
    }

    /**
     * Makes jobs dead letters whose time to be claimed has passed.
     *
     * @return the number of jobs
     */
    public long sweepExpired() {
        return db.connections().write(each -> each.integer("SELECT honker_sweep_expired(?)", name));
    }

    /**
     * Saves the result of a job for ever, replacing an earlier one.
     *
     * @param id the id of the job
     * @param json the result
     */
    public void saveResult(long id, String json) {
        saveResult(id, json, ResultOptions.neverExpires());
    }

    /**
     * Saves the result of a job, replacing an earlier one.
     *
     * @param id the id of the job
     * @param json the result
     * @param result the options
     */
    public void saveResult(long id, String json, ResultOptions result) {
        db.connections().write(each -> Results.save(each, id, json, result));
    }

    /**
     * Saves the result of a job for ever if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param id the id of the job
     * @param json the result
     */
    public void saveResult(Transaction tx, long id, String json) {
        saveResult(tx, id, json, ResultOptions.neverExpires());
    }

    /**
     * Saves the result of a job if and only if the transaction commits.
     *
     * @param tx the transaction
     * @param id the id of the job
     * @param json the result
     * @param result the options
     */
    public void saveResult(Transaction tx, long id, String json, ResultOptions result) {
        tx.run(each -> Results.save(each, id, json, result));
    }

    /**
     * The result of a job.
     *
     * @param id the id of the job
     * @return the result, or empty if there is none
     */
    public Optional<String> getResult(long id) {
        return Results.get(db, id);
    }

    /**
     * Waits for the result of a job without polling.
     *
     * @param id the id of the job
     * @return the result
     * @throws HonkerException with {@code HONKER_JOB_FAILED} if the job is a dead letter, with {@code
     *     HONKER_RESULT_GONE} if
     *     it has ended without a result
     */
    public String waitResult(long id) {
        return waitResult(id, WaitOptions.defaults());
    }

    /**
     * Waits for the result of a job without polling.
     *
     * @param id the id of the job
     * @param wait the options
     * @return the result
     * @throws HonkerTimeoutException if there is none in time
     * @throws HonkerException with {@code HONKER_JOB_FAILED} if the job is a dead letter, with {@code
     *     HONKER_RESULT_GONE} if
     *     it has ended without a result
     */
    public String waitResult(long id, WaitOptions wait) {
        return Results.await(db, id, wait, Waiting.NEVER);
    }

    /**
     * Waits for the result of a job without polling, in another thread.
     *
     * @param id the id of the job
     * @return the result; its cancellation ends the wait
     */
    public CompletableFuture<String> waitResultAsync(long id) {
        return waitResultAsync(id, WaitOptions.defaults());
    }

    /**
     * Waits for the result of a job without polling, in another thread.
     *
     * @param id the id of the job
     * @param wait the options
     * @return the result; its cancellation ends the wait
     */
    public CompletableFuture<String> waitResultAsync(long id, WaitOptions wait) {
        return Results.later(db, id, wait);
    }

    /**
     * Deletes the expired results of all queues.
     *
     * @return the number deleted
     */
    public long sweepResults() {
        return db.connections().write(each -> each.integer("SELECT honker_result_sweep()"));
    }

    /**
     * Starts a worker with the default options.
     *
     * @param workerId the worker
     * @param handler works on the jobs
     * @return the running worker; close it
     */
    public WorkerHandle worker(String workerId, JobHandler handler) {
        return worker(workerId, handler, WorkerOptions.defaults());
    }

    /**
     * Starts a worker. It claims jobs one after the other and waits without polling while none is due. The lease of a
     * job is renewed while its handler runs.
     *
     * @param workerId the worker; its threads append {@code -0}, {@code -1} and so on
     * @param handler works on the jobs
     * @param worker the options
     * @return the running worker; close it
     */
    public WorkerHandle worker(String workerId, JobHandler handler, WorkerOptions worker) {
        Arguments.required("workerId", workerId);
        Arguments.required("handler", handler);
        Worker made = new Worker(this, handler, worker.idlePollInterval(), attempt -> worker.defaultRetryDelay());
        return start(workerId, made, worker.concurrency(), worker.executor());
    }

    WorkerHandle start(String workerId, Worker worker, int concurrency, Executor executor) {
        return new WorkerHandle(
                db,
                "honker-worker-" + name,
                concurrency,
                executor,
                (index, isStopped) -> worker.run(workerId + "-" + index, isStopped));
    }

    /**
     * A view of this queue whose payloads are values.
     *
     * @param <T> the type of the payloads
     * @param codec the codec
     * @return the queue
     */
    public <T> TypedQueue<T> typed(JsonCodec<T> codec) {
        return new TypedQueue<>(this, Arguments.required("codec", codec));
    }
}
