package dev.honker;

import java.time.Duration;

/**
 * The options of an outbox.
 *
 * @param maxAttempts the number of deliveries before a payload becomes a dead letter
 * @param baseBackoff the pause before the second delivery; it doubles each time, up to an hour
 * @param visibilityTimeout the length of a lease; it is renewed while a delivery runs
 */
public record OutboxOptions(int maxAttempts, Duration baseBackoff, Duration visibilityTimeout) {
    /**
     * Checks the values.
     *
     * @param maxAttempts the number of deliveries before a payload becomes a dead letter
     * @param baseBackoff the pause before the second delivery; it doubles each time, up to an hour
     * @param visibilityTimeout the length of a lease; it is renewed while a delivery runs
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public OutboxOptions {
        Arguments.required("baseBackoff", baseBackoff);
        Arguments.required("visibilityTimeout", visibilityTimeout);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static OutboxOptions defaults() {
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
        private int maxAttempts = 5;
        private Duration baseBackoff = Duration.ofSeconds(5);
        private Duration visibilityTimeout = Duration.ofSeconds(60);

        private Builder() {}

        /**
         * Sets maxAttempts.
         *
         * @param value the number of deliveries before a payload becomes a dead letter
         * @return this builder
         */
        public Builder maxAttempts(int value) {
            maxAttempts = value;
            return this;
        }

        /**
         * Sets baseBackoff.
         *
         * @param value the pause before the second delivery; it doubles each time, up to an hour
         * @return this builder
         */
        public Builder baseBackoff(Duration value) {
            baseBackoff = value;
            return this;
        }

        /**
         * Sets visibilityTimeout.
         *
         * @param value the length of a lease; it is renewed while a delivery runs
         * @return this builder
         */
        public Builder visibilityTimeout(Duration value) {
            visibilityTimeout = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public OutboxOptions build() {
            return new OutboxOptions(maxAttempts, baseBackoff, visibilityTimeout);
        }
    }
}
