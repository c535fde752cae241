package dev.honker;

import java.sql.SQLException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.sqlite.SQLiteException;

/** Turns errors of the driver into typed ones. */
final class SqlErrors {
    // The driver puts the message of SQLite in brackets behind its own text: "[SQLITE_ERROR] SQL error (HONKER_...:
    // ...)".
    private static final Pattern CODED = Pattern.compile("(HONKER_[A-Z_]+): (.*?)\\)?$", Pattern.DOTALL);
    private static final int PRIMARY_CODE = 0xff;
    private static final int BUSY_SNAPSHOT = 517;

    private SqlErrors() {}

    static HonkerException typed(SQLException error) {
        String text = String.valueOf(error.getMessage());
        Matcher coded = CODED.matcher(text);
        if (!coded.find()) {
            return new HonkerSqlException(code(error), text, error);
        }
        String code = coded.group(1);
        String message = code + ": " + coded.group(2);
        return "HONKER_INVALID_ARGUMENT".equals(code)
                ? new HonkerInvalidOptionException(message, error)
                : new HonkerSqlException(code, message, error);
    }

    static int resultCode(SQLException error) {
        return error instanceof SQLiteException driver ? driver.getResultCode().code : error.getErrorCode();
    }

    private static String code(SQLException error) {
        int result = resultCode(error);
        if (result == BUSY_SNAPSHOT) {
            return "HONKER_BUSY_SNAPSHOT";
        }
        return switch (result & PRIMARY_CODE) {
            case 5, 6 -> "HONKER_BUSY";
            case 8 -> "HONKER_READ_ONLY";
            case 9 -> "HONKER_INTERRUPTED";
            case 10 -> "HONKER_IO";
            case 11, 26 -> "HONKER_CORRUPT";
            case 13 -> "HONKER_FULL";
            case 14 -> "HONKER_CANTOPEN";
            case 19 -> "HONKER_CONSTRAINT";
            default -> "HONKER_SQLITE";
        };
    }
}
