package dev.honker;

import java.time.Duration;
import java.time.Instant;

/**
 * The options of one job.
 *
 * @param runAt the instant at which the job becomes due, or null for now; it wins over the delay
 * @param delay the span after which the job becomes due, or null
 * @param priority a larger priority is claimed sooner
 * @param expires the span after which the job is no longer claimed, or null for never
 */
public record EnqueueOptions(Instant runAt, Duration delay, long priority, Duration expires) {
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

    /** Builds the options. */
    public static final class Builder {
        private Instant runAt;
        private Duration delay;
        private long priority;
        private Duration expires;

        private Builder() {}

        /**
         * Sets runAt.
         *
         * @param value the instant at which the job becomes due, or null for now; it wins over the delay
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
         * Builds the options.
         *
         * @return the options
         */
        public EnqueueOptions build() {
            return new EnqueueOptions(runAt, delay, priority, expires);
        }
    }
}
