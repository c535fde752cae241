package dev.honker;

import java.time.Duration;

/**
 * The options of a subscription to a stream.
 *
 * @param consumer the consumer whose offset is read and saved, or null to save none
 * @param fromOffset the offset after which to begin, or null for the consumer's saved one
 * @param saveEveryN save the offset after so many events; 0 and less mean never
 * @param saveEvery save the offset after so long; 0 means never
 * @param pollTimeout the longest wait between two looks, in case a wake is lost
 */
public record SubscribeOptions(
        String consumer, Long fromOffset, int saveEveryN, Duration saveEvery, Duration pollTimeout) {
    /**
     * Checks the values.
     *
     * @param consumer the consumer whose offset is read and saved, or null to save none
     * @param fromOffset the offset after which to begin, or null for the consumer's saved one
     * @param saveEveryN save the offset after so many events; 0 and less mean never
     * @param saveEvery save the offset after so long; 0 means never
     * @param pollTimeout the longest wait between two looks, in case a wake is lost
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public SubscribeOptions {
        Arguments.required("saveEvery", saveEvery);
        Arguments.required("pollTimeout", pollTimeout);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static SubscribeOptions defaults() {
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
        private String consumer;
        private Long fromOffset;
        private int saveEveryN = 1000;
        private Duration saveEvery = Duration.ofSeconds(1);
        private Duration pollTimeout = Duration.ofSeconds(15);

        private Builder() {}

        /**
         * Sets consumer.
         *
         * @param value the consumer whose offset is read and saved, or null to save none
         * @return this builder
         */
        public Builder consumer(String value) {
            consumer = value;
            return this;
        }

        /**
         * Sets fromOffset.
         *
         * @param value the offset after which to begin, or null for the consumer's saved one
         * @return this builder
         */
        public Builder fromOffset(Long value) {
            fromOffset = value;
            return this;
        }

        /**
         * Sets fromOffset.
         *
         * @param value the offset after which to begin, or null for the consumer's saved one
         * @return this builder
         */
        public Builder fromOffset(long value) {
            return fromOffset(Long.valueOf(value));
        }

        /**
         * Sets saveEveryN.
         *
         * @param value save the offset after so many events; 0 and less mean never
         * @return this builder
         */
        public Builder saveEveryN(int value) {
            saveEveryN = value;
            return this;
        }

        /**
         * Sets saveEvery.
         *
         * @param value save the offset after so long; 0 means never
         * @return this builder
         */
        public Builder saveEvery(Duration value) {
            saveEvery = value;
            return this;
        }

        /**
         * Sets pollTimeout.
         *
         * @param value the longest wait between two looks, in case a wake is lost
         * @return this builder
         */
        public Builder pollTimeout(Duration value) {
            pollTimeout = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public SubscribeOptions build() {
            return new SubscribeOptions(consumer, fromOffset, saveEveryN, saveEvery, pollTimeout);
        }
    }
}
