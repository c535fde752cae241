package dev.honker;

import java.time.Duration;

/**
 * A number of starts and the span in which they are allowed.
 *
 * @param limit the number, 1 to 1,000,000
 * @param per the span, more than 0
 */
public record Rate(int limit, Duration per) {
    /**
     * Checks the span.
     *
     * @param limit the number, 1 to 1,000,000
     * @param per the span, more than 0
     * @throws HonkerInvalidOptionException if the span is null
     */
    public Rate {
        Arguments.required("per", per);
    }
}
