package dev.honker;

import java.time.Duration;

/**
 * The options of a lock.
 *
 * @param ttl the span after which the lock lapses unless it is renewed
 * @param owner the name of the owner, or null for a random one
 */
public record LockOptions(Duration ttl, String owner) {
    /**
     * Checks the values.
     *
     * @param ttl the span after which the lock lapses unless it is renewed
     * @param owner the name of the owner, or null for a random one
     * @throws HonkerInvalidOptionException if a value is missing or outside its range
     */
    public LockOptions {
        Arguments.required("ttl", ttl);
    }

    /**
     * The defaults.
     *
     * @return the options
     */
    public static LockOptions defaults() {
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
        private Duration ttl = Duration.ofSeconds(60);
        private String owner;

        private Builder() {}

        /**
         * Sets ttl.
         *
         * @param value the span after which the lock lapses unless it is renewed
         * @return this builder
         */
        public Builder ttl(Duration value) {
            ttl = value;
            return this;
        }

        /**
         * Sets owner.
         *
         * @param value the name of the owner, or null for a random one
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
        public LockOptions build() {
            return new LockOptions(ttl, owner);
        }
    }
}
