package dev.honker;

import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * The options of a listener with a handler.
 *
 * @param pollTimeout the longest wait between two looks, in case a wake is lost
 * @param executor runs the listening loop, or null for a thread of its own
 */
public record ListenOptions(Duration pollTimeout, Executor executor) {
    /**
     * Checks the values.
     *
     * @param pollTimeout the longest wait between two looks, in case a wake is lost
     * @param executor runs the listening loop, or null for a thread of its own
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public ListenOptions {
        Arguments.required("pollTimeout", pollTimeout);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static ListenOptions defaults() {
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
        private Duration pollTimeout = Duration.ofSeconds(15);
        private Executor executor;

        private Builder() {}

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
         * Sets executor.
         *
         * @param value runs the listening loop, or null for a thread of its own
         * @return this builder
         */
        public Builder executor(Executor value) {
            executor = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public ListenOptions build() {
            return new ListenOptions(pollTimeout, executor);
        }
    }
}
