package dev.honker;

import java.time.Duration;

/**
 * The options of a result.
 *
 * @param expiresAfter the span for which it is kept, or null for ever
 */
public record ResultOptions(Duration expiresAfter) {
    /**
     * A result that is kept for a while.
     *
     * @param span the span
     * @return the options
     */
    public static ResultOptions ttl(Duration span) {
        return new ResultOptions(Arguments.required("span", span));
    }

    /**
     * A result that is kept for ever.
     *
     * @return the options
     */
    public static ResultOptions neverExpires() {
        return new ResultOptions(null);
    }
}
