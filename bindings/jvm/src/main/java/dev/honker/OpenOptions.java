package dev.honker;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * The options of a database.
 *
 * @param extensionPath the library of honker, or null to find it
 * @param maxReaders accepted for compatibility; one connection reads
 * @param busyTimeout the longest wait for the write lock
 * @param journalMode the journal mode of the file
 * @param walAutocheckpoint the number of pages after which the log is copied into the file
 * @param fallbackPollInterval accepted for compatibility; waits do not poll
 * @param watcherOptions the options of the watcher
 * @param executor runs asynchronous waits, or null for threads of their own
 */
public record OpenOptions(
        Path extensionPath,
        int maxReaders,
        Duration busyTimeout,
        String journalMode,
        int walAutocheckpoint,
        Duration fallbackPollInterval,
        WatcherOptions watcherOptions,
        Executor executor) {
    /**
     * Checks the values.
     *
     * @param extensionPath the library of honker, or null to find it
     * @param maxReaders accepted for compatibility; one connection reads
     * @param busyTimeout the longest wait for the write lock
     * @param journalMode the journal mode of the file
     * @param walAutocheckpoint the number of pages after which the log is copied into the file
     * @param fallbackPollInterval accepted for compatibility; waits do not poll
     * @param watcherOptions the options of the watcher
     * @param executor runs asynchronous waits, or null for threads of their own
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public OpenOptions {
        Arguments.required("busyTimeout", busyTimeout);
        Arguments.required("fallbackPollInterval", fallbackPollInterval);
        Arguments.required("watcherOptions", watcherOptions);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static OpenOptions defaults() {
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
        private Path extensionPath;
        private int maxReaders = 8;
        private Duration busyTimeout = Duration.ofSeconds(5);
        private String journalMode = "WAL";
        private int walAutocheckpoint = 10000;
        private Duration fallbackPollInterval = Duration.ofMillis(10);
        private WatcherOptions watcherOptions = WatcherOptions.defaults();
        private Executor executor;

        private Builder() {}

        /**
         * Sets extensionPath.
         *
         * @param value the library of honker, or null to find it
         * @return this builder
         */
        public Builder extensionPath(Path value) {
            extensionPath = value;
            return this;
        }

        /**
         * Sets extensionPath.
         *
         * @param value the library of honker, or null to find it
         * @return this builder
         */
        public Builder extensionPath(String value) {
            return extensionPath(value == null ? null : Path.of(value));
        }

        /**
         * Sets maxReaders.
         *
         * @param value accepted for compatibility; one connection reads
         * @return this builder
         */
        public Builder maxReaders(int value) {
            maxReaders = value;
            return this;
        }

        /**
         * Sets busyTimeout.
         *
         * @param value the longest wait for the write lock
         * @return this builder
         */
        public Builder busyTimeout(Duration value) {
            busyTimeout = value;
            return this;
        }

        /**
         * Sets journalMode.
         *
         * @param value the journal mode of the file
         * @return this builder
         */
        public Builder journalMode(String value) {
            journalMode = value;
            return this;
        }

        /**
         * Sets walAutocheckpoint.
         *
         * @param value the number of pages after which the log is copied into the file
         * @return this builder
         */
        public Builder walAutocheckpoint(int value) {
            walAutocheckpoint = value;
            return this;
        }

        /**
         * Sets fallbackPollInterval.
         *
         * @param value accepted for compatibility; waits do not poll
         * @return this builder
         */
        public Builder fallbackPollInterval(Duration value) {
            fallbackPollInterval = value;
            return this;
        }

        /**
         * Sets watcherOptions.
         *
         * @param value the options of the watcher
         * @return this builder
         */
        public Builder watcherOptions(WatcherOptions value) {
            watcherOptions = value;
            return this;
        }

        /**
         * Sets executor.
         *
         * @param value runs asynchronous waits, or null for threads of their own
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
        public OpenOptions build() {
            return new OpenOptions(
                    extensionPath,
                    maxReaders,
                    busyTimeout,
                    journalMode,
                    walAutocheckpoint,
                    fallbackPollInterval,
                    watcherOptions,
                    executor);
        }
    }
}
