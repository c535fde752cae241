package dev.honker;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;

/** Tells about commits to the file, of any process. */
public final class UpdateEvents implements AutoCloseable {
    private final Database db;
    private final Watcher watcher;
    private final AtomicBoolean isClosed = new AtomicBoolean();
    private long seen;

    UpdateEvents(Database db) {
        this.db = db;
        watcher = db.watcher();
        seen = watcher.seen();
    }

    /**
     * Waits for a commit since the last call. It may also return true without one: read again then.
     *
     * @param timeout the longest wait
     * @return true after a commit, false after the timeout
     * @throws HonkerClosedException if the events or the database are closed
     * @throws HonkerInterruptedException if the thread is interrupted
     */
    public boolean next(Duration timeout) {
        long deadline = Waiting.deadline(Arguments.required("timeout", timeout));
        watcher.await(seen, deadline - System.nanoTime(), isClosed::get);
        if (isClosed.get()) {
            throw new HonkerClosedException("the events are closed");
        }
        long now = watcher.seen();
        boolean isNews = now != seen;
        seen = now;
        return isNews;
    }

    /** Ends the wait. Closing again does nothing. */
    @Override
    public void close() {
        isClosed.set(true);
        db.poke();
    }
}
