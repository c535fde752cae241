package dev.honker;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

/**
 * The two connections of a database: one writes, one reads. A read does not wait for a transaction, and a wait holds
 * neither.
 */
final class Connections {
    private final OpenOptions options;
    private final SqlConnection writer;
    private final SqlConnection reader;
    private final ReentrantLock writing = new ReentrantLock(true);
    private final ReentrantLock reading = new ReentrantLock(true);
    private volatile boolean isClosed;

    Connections(String path, OpenOptions options) {
        this.options = options;
        writer = SqlConnection.open(path, options);
        try {
            writer.one("SELECT honker_bootstrap()");
            reader = SqlConnection.open(path, options);
        } catch (RuntimeException error) {
            writer.close();
            throw error;
        }
    }

    /** Run a call that writes. */
    <T> T write(Function<SqlConnection, T> call) {
        return locked(writing, writer, call);
    }

    /** Run a call that only reads. It sees what is committed. */
    <T> T read(Function<SqlConnection, T> call) {
        return locked(reading, reader, call);
    }

    boolean isClosed() {
        return isClosed;
    }

    void checkOpen() {
        if (isClosed) {
            throw new HonkerClosedException("the database is closed");
        }
    }

    void checkNotNested() {
        if (writing.isHeldByCurrentThread()) {
            throw new HonkerSqlException(
                    "HONKER_NESTED_TRANSACTION",
                    "this thread is inside a transaction of the database; pass the transaction to the call",
                    null);
        }
    }

    private <T> T locked(ReentrantLock lock, SqlConnection connection, Function<SqlConnection, T> call) {
        checkOpen();
        checkNotNested();
        lock(lock);
        try {
            checkOpen();
            return call.apply(connection);
        } finally {
            lock.unlock();
        }
    }

    /**
     * Take the lock within the busy timeout. An interrupt does not end it: a job that is settled in that moment would
     * be left to its lease.
     */
    private void lock(ReentrantLock lock) {
        boolean isInterrupted = false;
        long deadline = System.nanoTime() + options.busyTimeout().toNanos();
        try {
            while (true) {
                try {
                    if (lock.tryLock(deadline - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                        return;
                    }
                    throw new HonkerSqlException(
                            "HONKER_BUSY",
                            "another thread held the connection for longer than the busy timeout of "
                                    + options.busyTimeout().toMillis() + " ms",
                            null);
                } catch (InterruptedException interrupt) {
                    isInterrupted = true;
                }
            }
        } finally {
            if (isInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Refuse further calls. */
    void refuse() {
        isClosed = true;
    }

    /** Close the watcher, if there is one, and both connections after the calls and the transaction that run. */
    void close(Watcher watcher) {
        writing.lock();
        reading.lock();
        try {
            if (watcher != null) {
                watcher.close(writer);
            }
            reader.close();
            writer.close();
        } finally {
            reading.unlock();
            writing.unlock();
        }
    }
}
