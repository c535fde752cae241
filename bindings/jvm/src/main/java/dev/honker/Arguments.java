package dev.honker;

import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;

/** Checks of arguments, and their forms in SQL. The engine checks the ranges. */
final class Arguments {
    private static final int MILLI_DIGITS = 3;
    private static final long NANOS_PER_MILLI = 1_000_000;

    private Arguments() {}

    static <T> T required(String name, T value) {
        if (value == null) {
            throw new HonkerInvalidOptionException(name + " is null; give a value");
        }
        return value;
    }

    static void atLeast(String name, long value, long least) {
        if (value < least) {
            throw new HonkerInvalidOptionException(name + " is " + value + "; give at least " + least);
        }
    }

    /** The span in seconds: an integer if it is whole, or null. A fraction of a millisecond counts as one. */
    static Number seconds(Duration span) {
        if (span == null) {
            return null;
        }
        if (span.getNano() == 0) {
            return span.getSeconds();
        }
        long nanos = span.getNano() + NANOS_PER_MILLI - 1;
        return decimal(span.getSeconds(), nanos / NANOS_PER_MILLI);
    }

    /** The instant in Unix seconds: an integer if it is whole, or null. */
    static Number seconds(Instant instant) {
        if (instant == null) {
            return null;
        }
        if (instant.getNano() == 0) {
            return instant.getEpochSecond();
        }
        return decimal(instant.getEpochSecond(), instant.getNano() / NANOS_PER_MILLI);
    }

    /** The reverse of {@link #seconds(Instant)}. */
    static Instant instant(Object seconds) {
        if (seconds == null) {
            return null;
        }
        if (seconds instanceof Long whole) {
            return Instant.ofEpochSecond(whole);
        }
        double value = ((Number) seconds).doubleValue();
        return Instant.ofEpochMilli(Math.round(value * 1000));
    }

    /** The reverse of {@link #seconds(Duration)}. */
    static Duration span(Object seconds) {
        return seconds == null ? null : Duration.ofMillis(Math.round(((Number) seconds).doubleValue() * 1000));
    }

    private static double decimal(long seconds, long millis) {
        return BigDecimal.valueOf(millis, MILLI_DIGITS)
                .add(BigDecimal.valueOf(seconds))
                .doubleValue();
    }
}
