package dev.honker;

/** The thread was interrupted while it waited. Its interrupt flag is set. */
public class HonkerInterruptedException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error with the code {@code HONKER_INTERRUPTED}.
     *
     * @param message the reason
     */
    public HonkerInterruptedException(String message) {
        this(message, null);
    }

    /**
     * An error with the code {@code HONKER_INTERRUPTED}.
     *
     * @param message the reason
     * @param cause the cause, or null
     */
    public HonkerInterruptedException(String message, Throwable cause) {
        super("HONKER_INTERRUPTED", message, cause);
    }
}
