package dev.honker;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * Tells all waits of a database about commits to its file. One platform thread waits in the engine on a connection of
 * its own; a virtual thread would pin its carrier there.
 */
final class Watcher {
    private static final long LONGEST_MS = 86_400_000;

    private final SqlConnection connection;
    private final long id;
    private final Thread thread;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    // Grows with every commit. A wait passes the number that it has seen before it looked, so no commit is missed.
    private long commits;
    private boolean isClosed;
    private HonkerException death;

    Watcher(String path, OpenOptions options) {
        connection = SqlConnection.open(path, options);
        WatcherOptions watching = options.watcherOptions();
        try {
            id = connection.integer(
                    "SELECT honker_update_watcher_open(?, ?, ?)",
                    path,
                    watching.backend().engineName,
                    watching.pollInterval().toMillis());
        } catch (RuntimeException error) {
            connection.close();
            throw error;
        }
        thread = new Thread(this::run, "honker-watcher-" + id);
        thread.setDaemon(true);
        thread.start();
    }

    private void run() {
        try {
            while (true) {
                long outcome = connection.integer("SELECT honker_update_watcher_wait(?, ?)", id, LONGEST_MS);
                if (outcome < 0) {
                    end(new HonkerSqlException(
                            "HONKER_WATCHER", "the file was replaced, or its watcher has died; open it again", null));
                    return;
                }
                poke();
            }
        } catch (HonkerException error) {
            end(error);
        } finally {
            connection.close();
        }
    }

    private void end(HonkerException reason) {
        lock.lock();
        try {
            death = reason;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** The number to pass to the next wait; take it before looking. */
    long seen() {
        lock.lock();
        try {
            return commits;
        } finally {
            lock.unlock();
        }
    }

    /** Let every wait look again. */
    void poke() {
        lock.lock();
        try {
            commits++;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /**
     * Wait for a commit after the one seen, for the end of the span, or for a stop.
     *
     * @throws HonkerInterruptedException if the thread is interrupted
     * @throws HonkerClosedException if the database is closed
     */
    void await(long seen, long longestNanos, BooleanSupplier isStopped) {
        lock.lock();
        try {
            long left = longestNanos;
            while (commits == seen && left > 0 && !isStopped.getAsBoolean()) {
                checkAlive();
                left = changed.awaitNanos(left);
            }
            checkAlive();
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
            throw new HonkerInterruptedException("the thread was interrupted while it waited", interrupt);
        } finally {
            lock.unlock();
        }
    }

    private void checkAlive() {
        if (isClosed) {
            throw new HonkerClosedException("the database is closed");
        }
        if (death != null) {
            throw new HonkerSqlException(death.code(), death.getMessage(), death);
        }
    }

    /** End every wait. */
    void refuse() {
        lock.lock();
        try {
            isClosed = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    /** End the thread. The subscription is closed on another connection: the own one is inside the wait. */
    void close(SqlConnection other) {
        other.one("SELECT honker_update_watcher_close(?)", id);
        boolean isInterrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join(TimeUnit.SECONDS.toMillis(1));
            } catch (InterruptedException interrupt) {
                isInterrupted = true;
            }
        }
        if (isInterrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
