package dev.honker;

/** Another owner holds the lock. */
public class LockHeldException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error with the code {@code HONKER_LOCK_HELD}.
     *
     * @param message the reason
     */
    public LockHeldException(String message) {
        this(message, null);
    }

    /**
     * An error with the code {@code HONKER_LOCK_HELD}.
     *
     * @param message the reason
     * @param cause the cause, or null
     */
    public LockHeldException(String message, Throwable cause) {
        super("HONKER_LOCK_HELD", message, cause);
    }
}
