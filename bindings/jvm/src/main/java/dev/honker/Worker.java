package dev.honker;

import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongFunction;

/** The loop of a worker. */
final class Worker {
    private static final System.Logger LOG = System.getLogger(Worker.class.getName());
    private static final long RENEWALS_PER_LEASE = 3;
    private static final long FIRST_BACKOFF_MS = 50;
    private static final int MOST_DOUBLINGS = 10;
    private static final long LONGEST_BACKOFF_MS = 5000;

    private final Queue queue;
    private final JobHandler handler;
    private final Duration idlePoll;
    private final LongFunction<Duration> retryDelay;

    Worker(Queue queue, JobHandler handler, Duration idlePoll, LongFunction<Duration> retryDelay) {
        this.queue = queue;
        this.handler = handler;
        this.idlePoll = idlePoll;
        this.retryDelay = retryDelay;
    }

    void run(String workerId, BooleanSupplier isStopped) {
        int failures = 0;
        ScheduledThreadPoolExecutor renewing = new ScheduledThreadPoolExecutor(1, run -> {
            Thread thread = new Thread(run, "honker-heartbeat-" + workerId);
            thread.setDaemon(true);
            return thread;
        });
        try {
            while (!isStopped.getAsBoolean()) {
                try {
                    queue.next(workerId, null, idlePoll, isStopped).ifPresent(job -> work(job, renewing));
                    failures = 0;
                } catch (HonkerSqlException error) {
                    if (!error.isRetryable()) {
                        throw error;
                    }
                    LOG.log(System.Logger.Level.WARNING, "a worker tries again: " + error.getMessage());
                    backOff(failures++, queue.db(), isStopped);
                }
            }
        } finally {
            renewing.shutdownNow();
        }
    }

    /** Wait after a failure that may pass, longer each time. */
    static void backOff(int failures, Database db, BooleanSupplier isStopped) {
        long span = Math.min(FIRST_BACKOFF_MS << Math.min(failures, MOST_DOUBLINGS), LONGEST_BACKOFF_MS);
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(span);
        Waiting.until(db, deadline, isStopped, () -> null, () -> deadline - System.nanoTime());
    }

    private void work(Job job, ScheduledThreadPoolExecutor renewing) {
        long interval = Math.max(1, queue.options().visibilityTimeout().toMillis() / RENEWALS_PER_LEASE);
        ScheduledFuture<?> renewal =
                renewing.scheduleAtFixedRate(() -> renew(job), interval, interval, TimeUnit.MILLISECONDS);
        Throwable failure = null;
        try {
            handler.handle(job);
        } catch (Exception | Error error) {
            failure = error;
        } finally {
            renewal.cancel(false);
        }
        settle(job, failure);
    }

    private void renew(Job job) {
        try {
            job.heartbeat();
        } catch (HonkerException error) {
            LOG.log(System.Logger.Level.WARNING, "the lease of job " + job.id() + " is not renewed", error);
        }
    }

    /** A lost lease is no error: another worker has the job, or the handler has settled it itself. */
    private void settle(Job job, Throwable failure) {
        if (failure == null) {
            job.ack();
        } else if (failure instanceof InterruptedException || failure instanceof HonkerInterruptedException) {
            Thread.currentThread().interrupt();
            job.release();
            // The next handler of this thread would be interrupted as well.
            throw new HonkerInterruptedException("the thread of the worker was interrupted", failure);
        } else if (failure instanceof RetryableException chosen) {
            job.retry(chosen.delay(), chosen.getMessage());
        } else {
            job.retry(retryDelay.apply(job.attempts()), failure.toString());
            LOG.log(System.Logger.Level.WARNING, "job " + job.id() + " of " + job.queue() + " has failed", failure);
        }
    }
}
