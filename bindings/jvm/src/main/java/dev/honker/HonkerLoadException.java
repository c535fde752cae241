package dev.honker;

/** The library of honker is not found, or cannot be loaded. */
public class HonkerLoadException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error of loading.
     *
     * @param code {@code HONKER_EXTENSION_NOT_FOUND}, {@code HONKER_EXTENSION_UNSUPPORTED}, or a code of the engine
     * @param message the reason
     * @param cause the cause, or null
     */
    public HonkerLoadException(String code, String message, Throwable cause) {
        super(code, message, cause);
    }
}
