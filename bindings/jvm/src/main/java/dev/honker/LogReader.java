package dev.honker;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongFunction;

/** Reads the rows of a log in order, and waits for further ones. */
final class LogReader<T> {
    private static final System.Logger LOG = System.getLogger(LogReader.class.getName());

    private final Database db;
    private final String name;
    private final String position;
    private final LongFunction<String> page;
    private final Function<Map<String, Object>, T> read;
    private final ArrayDeque<T> ahead = new ArrayDeque<>();
    private final AtomicBoolean isClosed = new AtomicBoolean();
    private long readTo;

    /**
     * @param name what is read, for messages
     * @param position the field of a row with its position
     * @param page returns the rows after a position as JSON
     */
    LogReader(
            Database db,
            String name,
            String position,
            long from,
            LongFunction<String> page,
            Function<Map<String, Object>, T> read) {
        this.db = db;
        this.name = name;
        this.position = position;
        this.page = page;
        this.read = read;
        readTo = from;
    }

    /** The next row; empty after the timeout, or if the wait is stopped. */
    Optional<T> next(Duration timeout, Duration longestWait, BooleanSupplier isStopped) {
        long deadline = Waiting.deadline(timeout);
        BooleanSupplier isEnding = () -> isClosed.get() || isStopped.getAsBoolean();
        Optional<T> found = Waiting.until(db, deadline, isEnding, this::look, longestWait::toNanos);
        if (isClosed.get()) {
            throw new HonkerClosedException("the " + name + " is closed");
        }
        return found;
    }

    // A row that is taken here is returned by the same call: nothing waits in between.
    private synchronized T look() {
        while (ahead.isEmpty()) {
            List<Map<String, Object>> rows = Json.objects(page.apply(readTo));
            if (rows.isEmpty()) {
                return null;
            }
            for (Map<String, Object> row : rows) {
                readTo = (Long) row.get(position);
                if (row.get("malformed") == null) {
                    ahead.add(read.apply(row));
                } else {
                    LOG.log(System.Logger.Level.WARNING, "a malformed row is passed over: {0}", row);
                }
            }
        }
        return ahead.poll();
    }

    /** End the waits. Returns false if they had ended. */
    boolean close() {
        boolean isFirst = isClosed.compareAndSet(false, true);
        db.poke();
        return isFirst;
    }
}
