package dev.honker;

import java.time.Duration;

/** An exception of a handler, a delivery or a task that chooses the delay of the next attempt. */
public class RetryableException extends HonkerException {
    private static final long serialVersionUID = 1;

    /** The delay. */
    private final Duration delay;

    /**
     * Retries the job after a delay.
     *
     * @param message the reason, or null
     * @param delay the delay, 0 or more
     */
    public RetryableException(String message, Duration delay) {
        this(message, delay, null);
    }

    /**
     * Retries the job after a delay.
     *
     * @param message the reason, or null
     * @param delay the delay, 0 or more
     * @param cause the cause, or null
     */
    public RetryableException(String message, Duration delay, Throwable cause) {
        super("HONKER_RETRYABLE", message, cause);
        this.delay = Arguments.required("delay", delay);
    }

    /**
     * The delay of the next attempt.
     *
     * @return the delay
     */
    public Duration delay() {
        return delay;
    }
}
