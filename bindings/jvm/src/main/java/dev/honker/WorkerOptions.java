package dev.honker;

import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * The options of a worker.
 *
 * @param concurrency the number of jobs that run at the same time, from 1
 * @param idlePollInterval the longest wait between two looks, in case a wake is lost
 * @param defaultRetryDelay the delay of a retry after an exception other than RetryableException
 * @param executor runs the loops of the worker, or null for threads of its own
 */
public record WorkerOptions(int concurrency, Duration idlePollInterval, Duration defaultRetryDelay, Executor executor) {
    /**
     * Checks the values.
     *
     * @param concurrency the number of jobs that run at the same time, from 1
     * @param idlePollInterval the longest wait between two looks, in case a wake is lost
     * @param defaultRetryDelay the delay of a retry after an exception other than RetryableException
     * @param executor runs the loops of the worker, or null for threads of its own
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public WorkerOptions {
        Arguments.atLeast("concurrency", concurrency, 1);
        Arguments.required("idlePollInterval", idlePollInterval);
        Arguments.required("defaultRetryDelay", defaultRetryDelay);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static WorkerOptions defaults() {
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
        private int concurrency = 1;
        private Duration idlePollInterval = Duration.ofSeconds(5);
        private Duration defaultRetryDelay = Duration.ofSeconds(60);
        private Executor executor;

        private Builder() {}

        /**
         * Sets concurrency.
         *
         * @param value the number of jobs that run at the same time, from 1
         * @return this builder
         */
        public Builder concurrency(int value) {
            concurrency = value;
            return this;
        }

        /**
         * Sets idlePollInterval.
         *
         * @param value the longest wait between two looks, in case a wake is lost
         * @return this builder
         */
        public Builder idlePollInterval(Duration value) {
            idlePollInterval = value;
            return this;
        }

        /**
         * Sets defaultRetryDelay.
         *
         * @param value the delay of a retry after an exception other than RetryableException
         * @return this builder
         */
        public Builder defaultRetryDelay(Duration value) {
            defaultRetryDelay = value;
            return this;
        }

        /**
         * Sets executor.
         *
         * @param value runs the loops of the worker, or null for threads of its own
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
        public WorkerOptions build() {
            return new WorkerOptions(concurrency, idlePollInterval, defaultRetryDelay, executor);
        }
    }
}
