package dev.honker;

import java.time.Duration;

/**
 * The limits for pruning notifications; with both null, none is deleted.
 *
 * @param olderThan delete notifications that are older, or null
 * @param maxKeep delete all but this number of newest ones, or null
 */
public record NotificationPruneOptions(Duration olderThan, Long maxKeep) {
    /**
     * The defaults.
     *
     * @return the options
     */
    public static NotificationPruneOptions defaults() {
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
        private Duration olderThan;
        private Long maxKeep;

        private Builder() {}

        /**
         * Sets olderThan.
         *
         * @param value delete notifications that are older, or null
         * @return this builder
         */
        public Builder olderThan(Duration value) {
            olderThan = value;
            return this;
        }

        /**
         * Sets maxKeep.
         *
         * @param value delete all but this number of newest ones, or null
         * @return this builder
         */
        public Builder maxKeep(Long value) {
            maxKeep = value;
            return this;
        }

        /**
         * Sets maxKeep.
         *
         * @param value delete all but this number of newest ones, or null
         * @return this builder
         */
        public Builder maxKeep(long value) {
            return maxKeep(Long.valueOf(value));
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public NotificationPruneOptions build() {
            return new NotificationPruneOptions(olderThan, maxKeep);
        }
    }
}
