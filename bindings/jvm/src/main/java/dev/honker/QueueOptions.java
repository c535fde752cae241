package dev.honker;

import java.time.Duration;

/**
 * The options of a queue.
 *
 * @param visibilityTimeout the length of a lease, more than 0 and at most a year
 * @param maxAttempts the number of claims before a job becomes a dead letter, 1 to 1,000,000
 */
public record QueueOptions(Duration visibilityTimeout, int maxAttempts) {
    /**
     * Checks the values.
     *
     * @param visibilityTimeout the length of a lease, more than 0 and at most a year
     * @param maxAttempts the number of claims before a job becomes a dead letter, 1 to 1,000,000
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public QueueOptions {
        Arguments.required("visibilityTimeout", visibilityTimeout);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static QueueOptions defaults() {
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
        private Duration visibilityTimeout = Duration.ofSeconds(300);
        private int maxAttempts = 3;

        private Builder() {}

        /**
         * Sets visibilityTimeout.
         *
         * @param value the length of a lease, more than 0 and at most a year
         * @return this builder
         */
        public Builder visibilityTimeout(Duration value) {
            visibilityTimeout = value;
            return this;
        }

        /**
         * Sets maxAttempts.
         *
         * @param value the number of claims before a job becomes a dead letter, 1 to 1,000,000
         * @return this builder
         */
        public Builder maxAttempts(int value) {
            maxAttempts = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public QueueOptions build() {
            return new QueueOptions(visibilityTimeout, maxAttempts);
        }
    }
}
