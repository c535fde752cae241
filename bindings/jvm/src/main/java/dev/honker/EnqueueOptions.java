package dev.honker;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The options of one job. The engine checks ranges, and refuses an option without the one that it depends on, such as
 * {@code onConflict} without {@code uniqueKey}.
 *
 * @param runAt the instant at which the job becomes due, or null for now; a delay wins over it
 * @param delay the span after which the job becomes due, or null
 * @param priority a larger priority is claimed sooner
 * @param expires the span after which the job is no longer claimed, or null for never
 * @param maxAttempts the number of claims before the job becomes a dead letter, or null for that of the queue
 * @param key jobs of one key share the limits per key of the queue; or null
 * @param uniqueKey one job of this key may exist in the queue; or null
 * @param onConflict the handling of a second job of the unique key, or null for {@code EXISTING}
 * @param uniqueUntil the moment at which the unique key is free again, or null for {@code FINISHED}
 * @param uniqueFor how long the unique key stays taken after the job has succeeded, or null
 * @param debounce the span after the last enqueue of the unique key at which the job starts, or null
 * @param debounceMax the longest span after the first enqueue of the unique key, or null
 * @param after the ids of jobs that must have ended before the job runs
 * @param onParentFailure the effect of the failure of a job of {@code after}, or null for {@code CANCEL}
 */
public record EnqueueOptions(
        Instant runAt,
        Duration delay,
        long priority,
        Duration expires,
        Integer maxAttempts,
        String key,
        String uniqueKey,
        OnConflict onConflict,
        UniqueUntil uniqueUntil,
        Duration uniqueFor,
        Duration debounce,
        Duration debounceMax,
        List<Long> after,
        OnParentFailure onParentFailure) {
    /** The handling of a second job of a unique key. */
    public enum OnConflict {
        /** The existing job stays, and its id is returned. */
        EXISTING,
        /** The existing job gets the new payload and options if it has not started. */
        REPLACE,
        /** As {@code REPLACE}; if the existing job is running, the new one takes the key and runs after it. */
        RERUN,
        /** The call fails with {@code HONKER_UNIQUE_KEY_TAKEN}. */
        RAISE
    }

    /** The moment at which a unique key is free again. */
    public enum UniqueUntil {
        /** The end of the job. */
        FINISHED,
        /** The first start of the job. */
        STARTED
    }

    /** The effect of the failure of a job on those that come after it. */
    public enum OnParentFailure {
        /** They become dead letters that name it. */
        CANCEL,
        /** They run. */
        RUN,
        /** They wait until it is requeued and succeeds. */
        WAIT
    }

    /**
     * Copies the ids.
     *
     * @param runAt the instant at which the job becomes due, or null for now; a delay wins over it
     * @param delay the span after which the job becomes due, or null
     * @param priority a larger priority is claimed sooner
     * @param expires the span after which the job is no longer claimed, or null for never
     * @param maxAttempts the number of claims before the job becomes a dead letter, or null for that of the queue
     * @param key jobs of one key share the limits per key of the queue; or null
     * @param uniqueKey one job of this key may exist in the queue; or null
     * @param onConflict the handling of a second job of the unique key, or null for {@code EXISTING}
     * @param uniqueUntil the moment at which the unique key is free again, or null for {@code FINISHED}
     * @param uniqueFor how long the unique key stays taken after the job has succeeded, or null
     * @param debounce the span after the last enqueue of the unique key at which the job starts, or null
     * @param debounceMax the longest span after the first enqueue of the unique key, or null
     * @param after the ids of jobs that must have ended before the job runs
     * @param onParentFailure the effect of the failure of a job of {@code after}, or null for {@code CANCEL}
     */
    public EnqueueOptions {
        after = after == null ? List.of() : List.copyOf(after);
    }

    /**
     * Options that relate the job to no other.
     *
     * @param runAt the instant at which the job becomes due, or null for now; a delay wins over it
     * @param delay the span after which the job becomes due, or null
     * @param priority a larger priority is claimed sooner
     * @param expires the span after which the job is no longer claimed, or null for never
     */
    public EnqueueOptions(Instant runAt, Duration delay, long priority, Duration expires) {
        this(runAt, delay, priority, expires, null, null, null, null, null, null, null, null, List.of(), null);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static EnqueueOptions defaults() {
        return builder().build();
    }

    /**
     * A builder that begins with the defaults.
     *
     * @return the builder
     */
    public static Builder builder() {
        return new Builder();
    }

    /** The options that are given, as an object for SQL. */
    String json(int attemptsOfQueue) {
        Map<String, Object> given = new LinkedHashMap<>();
        put(given, "run_at", Arguments.seconds(runAt));
        put(given, "delay", Arguments.seconds(delay));
        put(given, "priority", priority);
        put(given, "max_attempts", maxAttempts == null ? attemptsOfQueue : maxAttempts);
        put(given, "expires", Arguments.seconds(expires));
        given.putAll(flow());
        return Json.write(given);
    }

    /** The options that relate the job to others. */
    Map<String, Object> flow() {
        Map<String, Object> given = new LinkedHashMap<>();
        put(given, "key", key);
        put(given, "unique_key", uniqueKey);
        put(given, "on_conflict", name(onConflict));
        put(given, "unique_until", name(uniqueUntil));
        put(given, "unique_for_s", Arguments.seconds(uniqueFor));
        put(given, "debounce_s", Arguments.seconds(debounce));
        put(given, "debounce_max_s", Arguments.seconds(debounceMax));
        put(given, "after", after.isEmpty() ? null : after);
        put(given, "on_parent_failure", name(onParentFailure));
        return given;
    }

    private static void put(Map<String, Object> given, String name, Object value) {
        if (value != null) {
            given.put(name, value);
        }
    }

    private static String name(Enum<?> choice) {
        return choice == null ? null : choice.name().toLowerCase(Locale.ROOT);
    }

    /** Builds the options. */
    public static final class Builder {
        private Instant runAt;
        private Duration delay;
        private long priority;
        private Duration expires;
        private Integer maxAttempts;
        private String key;
        private String uniqueKey;
        private OnConflict onConflict;
        private UniqueUntil uniqueUntil;
        private Duration uniqueFor;
        private Duration debounce;
        private Duration debounceMax;
        private List<Long> after = List.of();
        private OnParentFailure onParentFailure;

        private Builder() {}

        /**
         * Sets runAt.
         *
         * @param value the instant at which the job becomes due, or null for now; a delay wins over it
         * @return this builder
         */
        public Builder runAt(Instant value) {
            runAt = value;
            return this;
        }

        /**
         * Sets delay.
         *
         * @param value the span after which the job becomes due, or null
         * @return this builder
         */
        public Builder delay(Duration value) {
            delay = value;
            return this;
        }

        /**
         * Sets priority.
         *
         * @param value a larger priority is claimed sooner
         * @return this builder
         */
        public Builder priority(long value) {
            priority = value;
            return this;
        }

        /**
         * Sets expires.
         *
         * @param value the span after which the job is no longer claimed, or null for never
         * @return this builder
         */
        public Builder expires(Duration value) {
            expires = value;
            return this;
        }

        /**
         * Sets maxAttempts.
         *
         * @param value the number of claims before the job becomes a dead letter; without it, that of the queue
         * @return this builder
         */
        public Builder maxAttempts(int value) {
            maxAttempts = value;
            return this;
        }

        /**
         * Sets key.
         *
         * @param value jobs of one key share the limits per key of the queue; or null
         * @return this builder
         */
        public Builder key(String value) {
            key = value;
            return this;
        }

        /**
         * Sets uniqueKey.
         *
         * @param value one job of this key may exist in the queue; or null
         * @return this builder
         */
        public Builder uniqueKey(String value) {
            uniqueKey = value;
            return this;
        }

        /**
         * Sets onConflict.
         *
         * @param value the handling of a second job of the unique key, or null for {@code EXISTING}
         * @return this builder
         */
        public Builder onConflict(OnConflict value) {
            onConflict = value;
            return this;
        }

        /**
         * Sets uniqueUntil.
         *
         * @param value the moment at which the unique key is free again, or null for {@code FINISHED}
         * @return this builder
         */
        public Builder uniqueUntil(UniqueUntil value) {
            uniqueUntil = value;
            return this;
        }

        /**
         * Sets uniqueFor.
         *
         * @param value how long the unique key stays taken after the job has succeeded, or null
         * @return this builder
         */
        public Builder uniqueFor(Duration value) {
            uniqueFor = value;
            return this;
        }

        /**
         * Sets debounce.
         *
         * @param value the span after the last enqueue of the unique key at which the job starts, or null
         * @return this builder
         */
        public Builder debounce(Duration value) {
            debounce = value;
            return this;
        }

        /**
         * Sets debounceMax.
         *
         * @param value the longest span after the first enqueue of the unique key, or null
         * @return this builder
         */
        public Builder debounceMax(Duration value) {
            debounceMax = value;
            return this;
        }

        /**
         * Sets after.
         *
         * @param ids the ids of jobs that must have ended before the job runs
         * @return this builder
         */
        public Builder after(Collection<Long> ids) {
            after = List.copyOf(ids);
            return this;
        }

        /**
         * Sets after.
         *
         * @param ids the ids of jobs that must have ended before the job runs
         * @return this builder
         */
        public Builder after(long... ids) {
            return after(Arrays.stream(ids).boxed().toList());
        }

        /**
         * Sets onParentFailure.
         *
         * @param value the effect of the failure of a job of {@code after}, or null for {@code CANCEL}
         * @return this builder
         */
        public Builder onParentFailure(OnParentFailure value) {
            onParentFailure = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public EnqueueOptions build() {
            return new EnqueueOptions(
                    runAt,
                    delay,
                    priority,
                    expires,
                    maxAttempts,
                    key,
                    uniqueKey,
                    onConflict,
                    uniqueUntil,
                    uniqueFor,
                    debounce,
                    debounceMax,
                    after,
                    onParentFailure);
        }
    }
}
