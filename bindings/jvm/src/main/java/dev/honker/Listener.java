package dev.honker;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** Gets the notifications of a channel that are sent after it began. */
public final class Listener implements AutoCloseable {
    private static final int PAGE = 1000;

    private final LogReader<Notification> reader;

    Listener(Database db, String channel) {
        db.watcher();
        long last = db.connections().read(each -> each.integer("SELECT honker_notification_last_id(?)", channel));
        reader = new LogReader<>(
                db,
                "listener",
                "id",
                last,
                from -> db.connections()
                        .read(each -> each.text("SELECT honker_notification_read_since(?, ?, ?)", channel, from, PAGE)),
                Notification::read);
    }

    /**
     * Waits for the next notification without polling.
     *
     * @param timeout the longest wait
     * @return the notification, or empty after the timeout
     * @throws HonkerClosedException if the listener or the database is closed
     * @throws HonkerInterruptedException if the thread is interrupted
     */
    public Optional<Notification> next(Duration timeout) {
        return reader.next(Arguments.required("timeout", timeout), Waiting.FALLBACK, Waiting.NEVER);
    }

    /**
     * Waits for the next notification without polling.
     *
     * @return the notification
     * @throws HonkerClosedException if the listener or the database is closed
     * @throws HonkerInterruptedException if the thread is interrupted
     */
    public Notification next() {
        return reader.next(null, Waiting.FALLBACK, Waiting.NEVER).orElseThrow();
    }

    void run(NotificationHandler handler, Duration longestWait, BooleanSupplier isStopped) throws Exception {
        while (!isStopped.getAsBoolean()) {
            Optional<Notification> found = reader.next(null, longestWait, isStopped);
            if (found.isPresent()) {
                handler.handle(found.get());
            }
        }
    }

    /** Ends the waits. Closing again does nothing. */
    @Override
    public void close() {
        reader.close();
    }
}
