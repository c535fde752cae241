package dev.honker;

import java.time.Duration;

/**
 * The options of a schedule's jobs.
 *
 * @param priority the priority of its jobs
 * @param expires the span after a boundary after which its job is no longer claimed, or null for never
 * @param maxAttempts the number of attempts of its jobs
 * @param timeZone an IANA name such as Europe/Berlin, or null for the time zone of the process
 */
public record ScheduleOptions(long priority, Duration expires, int maxAttempts, String timeZone) {
    /**
     * The defaults.
     *
     * @return the options
     */
    public static ScheduleOptions defaults() {
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

    /** Builds the options. */
    public static final class Builder {
        private long priority;
        private Duration expires;
        private int maxAttempts = 3;
        private String timeZone;

        private Builder() {}

        /**
         * Sets priority.
         *
         * @param value the priority of its jobs
         * @return this builder
         */
        public Builder priority(long value) {
            priority = value;
            return this;
        }

        /**
         * Sets expires.
         *
         * @param value the span after a boundary after which its job is no longer claimed, or null for never
         * @return this builder
         */
        public Builder expires(Duration value) {
            expires = value;
            return this;
        }

        /**
         * Sets maxAttempts.
         *
         * @param value the number of attempts of its jobs
         * @return this builder
         */
        public Builder maxAttempts(int value) {
            maxAttempts = value;
            return this;
        }

        /**
         * Sets timeZone.
         *
         * @param value an IANA name such as Europe/Berlin, or null for the time zone of the process
         * @return this builder
         */
        public Builder timeZone(String value) {
            timeZone = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public ScheduleOptions build() {
            return new ScheduleOptions(priority, expires, maxAttempts, timeZone);
        }
    }
}
