package dev.honker;

/** SQLite or the engine has refused a statement. The cause is the exception of the driver. */
public class HonkerSqlException extends HonkerException {
    private static final long serialVersionUID = 1;

    /**
     * An error of a statement.
     *
     * @param code the code of the engine, such as {@code HONKER_BUSY}
     * @param message the reason
     * @param cause the exception of the driver, or null
     */
    public HonkerSqlException(String code, String message, Throwable cause) {
        super(code, message, cause);
    }
}
