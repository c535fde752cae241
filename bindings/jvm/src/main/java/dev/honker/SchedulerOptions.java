package dev.honker;

import java.time.Duration;

/**
 * The options of a running scheduler.
 *
 * @param lockName the lock of the leader; every language uses the default
 * @param lockTtl the span after which a dead leader is replaced
 * @param heartbeatEvery the interval between two renewals of the lock, shorter than its length
 * @param idlePollInterval the longest wait between two looks, in case a wake is lost
 * @param owner the name of this scheduler, or null for a random one
 */
public record SchedulerOptions(
        String lockName, Duration lockTtl, Duration heartbeatEvery, Duration idlePollInterval, String owner) {
    /**
     * Checks the values.
     *
     * @param lockName the lock of the leader; every language uses the default
     * @param lockTtl the span after which a dead leader is replaced
     * @param heartbeatEvery the interval between two renewals of the lock, shorter than its length
     * @param idlePollInterval the longest wait between two looks, in case a wake is lost
     * @param owner the name of this scheduler, or null for a random one
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public SchedulerOptions {
        Arguments.required("lockTtl", lockTtl);
        Arguments.required("heartbeatEvery", heartbeatEvery);
        Arguments.required("idlePollInterval", idlePollInterval);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static SchedulerOptions defaults() {
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
        private String lockName = "honker-scheduler";
        private Duration lockTtl = Duration.ofSeconds(60);
        private Duration heartbeatEvery = Duration.ofSeconds(30);
        private Duration idlePollInterval = Duration.ofSeconds(15);
        private String owner;

        private Builder() {}

        /**
         * Sets lockName.
         *
         * @param value the lock of the leader; every language uses the default
         * @return this builder
         */
        public Builder lockName(String value) {
            lockName = value;
            return this;
        }

        /**
         * Sets lockTtl.
         *
         * @param value the span after which a dead leader is replaced
         * @return this builder
         */
        public Builder lockTtl(Duration value) {
            lockTtl = value;
            return this;
        }

        /**
         * Sets heartbeatEvery.
         *
         * @param value the interval between two renewals of the lock, shorter than its length
         * @return this builder
         */
        public Builder heartbeatEvery(Duration value) {
            heartbeatEvery = value;
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
         * Sets owner.
         *
         * @param value the name of this scheduler, or null for a random one
         * @return this builder
         */
        public Builder owner(String value) {
            owner = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public SchedulerOptions build() {
            return new SchedulerOptions(lockName, lockTtl, heartbeatEvery, idlePollInterval, owner);
        }
    }
}
