package dev.honker;

import java.time.Duration;

/**
 * The options of a wait.
 *
 * @param timeout the longest wait, or null for none
 */
public record WaitOptions(Duration timeout) {
    /**
     * The defaults.
     *
     * @return the options
     */
    public static WaitOptions defaults() {
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
        private Duration timeout;

        private Builder() {}

        /**
         * Sets timeout.
         *
         * @param value the longest wait, or null for none
         * @return this builder
         */
        public Builder timeout(Duration value) {
            timeout = value;
            return this;
        }

        /**
         * Builds the options.
         *
         * @return the options
         */
        public WaitOptions build() {
            return new WaitOptions(timeout);
        }
    }
}
