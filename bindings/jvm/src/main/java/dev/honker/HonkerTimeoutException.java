package dev.honker;

/** A wait has ended without its result. */
public class HonkerTimeoutException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error with the code {@code HONKER_TIMEOUT}.
     *
     * @param message the reason
     */
    public HonkerTimeoutException(String message) {
        this(message, null);
    }

    /**
     * An error with the code {@code HONKER_TIMEOUT}.
     *
     * @param message the reason
     * @param cause the cause, or null
     */
    public HonkerTimeoutException(String message, Throwable cause) {
        super("HONKER_TIMEOUT", message, cause);
    }
}
