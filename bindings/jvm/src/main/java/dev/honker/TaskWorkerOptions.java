package dev.honker;

import java.time.Duration;
import java.util.concurrent.Executor;

/**
 * The options of the workers of a registry.
 *
 * @param concurrency the number of calls that run at the same time in each queue, from 1
 * @param workerId the beginning of the worker ids, or null for one with the process id
 * @param idlePollInterval the longest wait between two looks, in case a wake is lost
 * @param executor runs the loops of the workers, or null for threads of their own
 */
public record TaskWorkerOptions(int concurrency, String workerId, Duration idlePollInterval, Executor executor) {
    /**
     * Checks the values.
     *
     * @param concurrency the number of calls that run at the same time in each queue, from 1
     * @param workerId the beginning of the worker ids, or null for one with the process id
     * @param idlePollInterval the longest wait between two looks, in case a wake is lost
     * @param executor runs the loops of the workers, or null for threads of their own
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public TaskWorkerOptions {
        Arguments.atLeast("concurrency", concurrency, 1);
        Arguments.required("idlePollInterval", idlePollInterval);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static TaskWorkerOptions defaults() {
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
        private String workerId;
        private Duration idlePollInterval = Duration.ofSeconds(5);
        private Executor executor;

        private Builder() {}

        /**
         * Sets concurrency.
         *
         * @param value the number of calls that run at the same time in each queue, from 1
         * @return this builder
         */
        public Builder concurrency(int value) {
            concurrency = value;
            return this;
        }

        /**
         * Sets workerId.
         *
         * @param value the beginning of the worker ids, or null for one with the process id
         * @return this builder
         */
        public Builder workerId(String value) {
            workerId = value;
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
         * Sets executor.
         *
         * @param value runs the loops of the workers, or null for threads of their own
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
        public TaskWorkerOptions build() {
            return new TaskWorkerOptions(concurrency, workerId, idlePollInterval, executor);
        }
    }
}
