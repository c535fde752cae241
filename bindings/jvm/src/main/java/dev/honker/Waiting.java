package dev.honker;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** A wait for something in the database: look, then wait for a commit, and look again. */
final class Waiting {
    /** Bounds a wait without an option, in case an event of the file system is lost or the clock is set. */
    static final Duration FALLBACK = Duration.ofSeconds(5);

    /** A wait that only its caller ends. */
    static final BooleanSupplier NEVER = () -> false;

    private static final long FOREVER = Long.MAX_VALUE / 4;

    private Waiting() {}

    /** A deadline for {@link #until}; null means none. */
    static long deadline(Duration timeout) {
        long now = System.nanoTime();
        if (timeout == null || timeout.getSeconds() > TimeUnit.NANOSECONDS.toSeconds(FOREVER)) {
            return now + FOREVER;
        }
        return now + timeout.toNanos();
    }

    /**
     * Look until there is something, the deadline has passed, or the wait is stopped.
     *
     * @param look returns null if there is nothing yet
     * @param pauseNanos the longest span until the next look
     * @return the thing found, or empty
     */
    static <T> Optional<T> until(
            Database db, long deadline, BooleanSupplier isStopped, Supplier<T> look, LongSupplier pauseNanos) {
        Watcher watcher = db.watcher();
        while (!isStopped.getAsBoolean()) {
            long seen = watcher.seen();
            T found = look.get();
            if (found != null) {
                return Optional.of(found);
            }
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                return Optional.empty();
            }
            watcher.await(seen, Math.min(left, pauseNanos.getAsLong()), isStopped);
        }
        return Optional.empty();
    }
}
