package dev.honker;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/**
 * The progress of a consumer along a stream. Asking for the next event means that the consumer is done with the one
 * before, whose offset may be saved then. One thread at a time may ask.
 */
public final class Subscription implements AutoCloseable {
    private static final int PAGE = 1000;

    private final Database db;
    private final Stream stream;
    private final SubscribeOptions options;
    private final LogReader<Event> reader;
    private long handedOut;
    private long doneTo;
    private int unsaved;
    private long savedAt = System.nanoTime();

    Subscription(Database db, Stream stream, SubscribeOptions options) {
        this.db = db;
        this.stream = stream;
        this.options = options;
        db.watcher();
        reader = new LogReader<>(db, "subscription", "offset", begin(), from -> stream.page(from, PAGE), Event::read);
    }

    private long begin() {
        if (options.fromOffset() != null) {
            return options.fromOffset();
        }
        return options.consumer() == null ? 0 : stream.getOffset(options.consumer());
    }

    /**
     * Waits for the next event without polling.
     *
     * @return the event
     * @throws HonkerClosedException if the subscription or the database is closed
     * @throws HonkerInterruptedException if the thread is interrupted
     */
    public Event next() {
        return next(null, Waiting.NEVER).orElseThrow();
    }

    /**
     * Waits for the next event without polling.
     *
     * @param timeout the longest wait
     * @return the event, or empty after the timeout
     * @throws HonkerClosedException if the subscription or the database is closed
     * @throws HonkerInterruptedException if the thread is interrupted
     */
    public Optional<Event> next(Duration timeout) {
        return next(Arguments.required("timeout", timeout), Waiting.NEVER);
    }

    private Optional<Event> next(Duration timeout, BooleanSupplier isStopped) {
        synchronized (this) {
            finish();
            if (isSaveDue()) {
                save();
            }
        }
        Optional<Event> event = reader.next(timeout, options.pollTimeout(), isStopped);
        event.ifPresent(found -> handOut(found.offset()));
        return event;
    }

    private synchronized void handOut(long offset) {
        handedOut = offset;
    }

    private void finish() {
        if (handedOut != 0) {
            doneTo = handedOut;
            handedOut = 0;
            unsaved++;
        }
    }

    private boolean isSaveDue() {
        boolean isMany = options.saveEveryN() > 0 && unsaved >= options.saveEveryN();
        boolean isLong = !options.saveEvery().isZero()
                && System.nanoTime() - savedAt >= options.saveEvery().toNanos();
        return unsaved > 0 && (isMany || isLong);
    }

    private void save() {
        if (options.consumer() != null) {
            stream.saveOffset(options.consumer(), doneTo);
        }
        unsaved = 0;
        savedAt = System.nanoTime();
    }

    void run(EventHandler handler, BooleanSupplier isStopped) throws Exception {
        while (!isStopped.getAsBoolean()) {
            Optional<Event> found = next(null, isStopped);
            if (found.isPresent()) {
                handler.handle(found.get());
                synchronized (this) {
                    finish();
                }
            }
        }
    }

    /**
     * Ends the wait, and saves the offset of the last event that the consumer is done with, unless saving is off.
     * Closing again does nothing.
     */
    @Override
    public void close() {
        boolean isSaving = options.saveEveryN() > 0 || !options.saveEvery().isZero();
        if (!reader.close() || !isSaving || db.isClosed()) {
            return;
        }
        synchronized (this) {
            if (unsaved > 0) {
                save();
            }
        }
    }
}
