package dev.honker;

import java.time.Duration;

/**
 * The options of a task.
 *
 * @param retries the number of attempts, 1 to 1,000,000
 * @param retryDelay the delay of a retry
 * @param priority the priority of its calls
 * @param expires the span after which a call is no longer run, or null for never
 * @param storeResult true to store the result of a call
 * @param resultTtl the span for which a result is kept
 */
public record TaskOptions(
        int retries, Duration retryDelay, long priority, Duration expires, boolean storeResult, Duration resultTtl) {
    /**
     * Checks the values.
     *
     * @param retries the number of attempts, 1 to 1,000,000
     * @param retryDelay the delay of a retry
     * @param priority the priority of its calls
     * @param expires the span after which a call is no longer run, or null for never
     * @param storeResult true to store the result of a call
     * @param resultTtl the span for which a result is kept
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public TaskOptions {
        Arguments.required("retryDelay", retryDelay);
        Arguments.required("resultTtl", resultTtl);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static TaskOptions defaults() {
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
        private int retries = 3;
        private Duration retryDelay = Duration.ofSeconds(60);
        private long priority;
        private Duration expires;
        private boolean storeResult = true;
        private Duration resultTtl = Duration.ofHours(1);

        private Builder() {}

        /**
         * Sets retries.
         *
         * @param value the number of attempts, 1 to 1,000,000
         * @return this builder
         */
        public Builder retries(int value) {
            retries = value;
            return this;
        }

        /**
         * Sets retryDelay.
         *
         * @param value the delay of a retry
         * @return this builder
         */
        public Builder retryDelay(Duration value) {
            retryDelay = value;
            return this;
        }

        /**
         * Sets priority.
         *
         * @param value the priority of its calls
         * @return this builder
         */
        public Builder priority(long value) {
            priority = value;
            return this;
        }

        /**
         * Sets expires.
         *
         * @param value the span after which a call is no longer run, or null for never
         * @return this builder
         */
        public Builder expires(Duration value) {
            expires = value;
            return this;
        }

        /**
         * Sets storeResult.
         *
         * @param value true to store the result of a call
         * @return this builder
         */
        public Builder storeResult(boolean value) {
            storeResult = value;
            return this;
        }

        /**
         * Sets resultTtl.
         *
         * @param value the span for which a result is kept
         * @return this builder
         */
        public Builder resultTtl(Duration value) {
            resultTtl = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public TaskOptions build() {
            return new TaskOptions(retries, retryDelay, priority, expires, storeResult, resultTtl);
        }
    }
}
