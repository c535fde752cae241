package dev.honker;

/**
 * An error of honker. Each has a stable {@link #code}, the same in every language.
 */
public class HonkerException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The code. */
    private final String code;

    /**
     * An error with a code.
     *
     * @param code the stable code, such as {@code HONKER_BUSY}
     * @param message the reason
     * @param cause the cause, or null
     */
    public HonkerException(String code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }

    /**
     * The stable code, such as {@code HONKER_BUSY}. The README lists them.
     *
     * @return the code
     */
    public String code() {
        return code;
    }

    /**
     * The code, for languages that read it as a property.
     *
     * @return the code
     */
    public String getCode() {
        return code;
    }

    /**
     * True if the same call may succeed later.
     *
     * @return true for a busy or full database, for a failed read or write, and for an interrupted statement
     */
    public boolean isRetryable() {
        return switch (code) {
            case "HONKER_BUSY", "HONKER_FULL", "HONKER_IO" -> true;
            default -> false;
        };
    }
}
