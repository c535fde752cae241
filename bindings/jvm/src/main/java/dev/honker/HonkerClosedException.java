package dev.honker;

/** The database, the listener, the subscription, the worker or the transaction is closed. */
public class HonkerClosedException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error with the code {@code HONKER_CLOSED}.
     *
     * @param message the reason
     */
    public HonkerClosedException(String message) {
        this(message, null);
    }

    /**
     * An error with the code {@code HONKER_CLOSED}.
     *
     * @param message the reason
     * @param cause the cause, or null
     */
    public HonkerClosedException(String message, Throwable cause) {
        super("HONKER_CLOSED", message, cause);
    }
}
