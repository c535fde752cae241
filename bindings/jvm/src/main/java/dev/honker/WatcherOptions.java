package dev.honker;

import java.time.Duration;

/**
 * The options of the watcher of commits.
 *
 * @param backend the way to notice commits
 * @param pollInterval the interval between two checks where the system has no events, from 1 ms
 * @param identityCheckInterval accepted for compatibility; the engine chooses it
 * @param subscriberBufferSize accepted for compatibility; wakes are not buffered
 */
public record WatcherOptions(
        WatcherBackend backend, Duration pollInterval, Duration identityCheckInterval, int subscriberBufferSize) {
    /**
     * Checks the values.
     *
     * @param backend the way to notice commits
     * @param pollInterval the interval between two checks where the system has no events, from 1 ms
     * @param identityCheckInterval accepted for compatibility; the engine chooses it
     * @param subscriberBufferSize accepted for compatibility; wakes are not buffered
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public WatcherOptions {
        Arguments.required("backend", backend);
        Arguments.required("pollInterval", pollInterval);
        Arguments.required("identityCheckInterval", identityCheckInterval);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static WatcherOptions defaults() {
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
        private WatcherBackend backend = WatcherBackend.PRAGMA_DATA_VERSION;
        private Duration pollInterval = Duration.ofMillis(1);
        private Duration identityCheckInterval = Duration.ofMillis(100);
        private int subscriberBufferSize = 1024;

        private Builder() {}

        /**
         * Sets backend.
         *
         * @param value the way to notice commits
         * @return this builder
         */
        public Builder backend(WatcherBackend value) {
            backend = value;
            return this;
        }

        /**
         * Sets pollInterval.
         *
         * @param value the interval between two checks where the system has no events, from 1 ms
         * @return this builder
         */
        public Builder pollInterval(Duration value) {
            pollInterval = value;
            return this;
        }

        /**
         * Sets identityCheckInterval.
         *
         * @param value accepted for compatibility; the engine chooses it
         * @return this builder
         */
        public Builder identityCheckInterval(Duration value) {
            identityCheckInterval = value;
            return this;
        }

        /**
         * Sets subscriberBufferSize.
         *
         * @param value accepted for compatibility; wakes are not buffered
         * @return this builder
         */
        public Builder subscriberBufferSize(int value) {
            subscriberBufferSize = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public WatcherOptions build() {
            return new WatcherOptions(backend, pollInterval, identityCheckInterval, subscriberBufferSize);
        }
    }
}
