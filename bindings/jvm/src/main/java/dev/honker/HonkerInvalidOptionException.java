package dev.honker;

/** An argument or an option is outside its range; the message names it. */
public class HonkerInvalidOptionException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error with the code {@code HONKER_INVALID_ARGUMENT}.
     *
     * @param message the reason
     */
    public HonkerInvalidOptionException(String message) {
        this(message, null);
    }

    /**
     * An error with the code {@code HONKER_INVALID_ARGUMENT}.
     *
     * @param message the reason
     * @param cause the cause, or null
     */
    public HonkerInvalidOptionException(String message, Throwable cause) {
        super("HONKER_INVALID_ARGUMENT", message, cause);
    }
}
