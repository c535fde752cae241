package dev.honker;

import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.sqlite.SQLiteConnection;

/** A JDBC connection with the functions of honker. One thread at a time may use it. */
final class SqlConnection implements AutoCloseable {
    private static final int KEPT_STATEMENTS = 32;
    private static final int PRIMARY_CODE = 0xff;
    private static final int BUSY = 5;

    final Connection jdbc;
    // Only calls of honker's functions are kept: the oldest is closed when there are more. A connection of the
    // application keeps none.
    private final Map<String, PreparedStatement> kept = new LinkedHashMap<>(16, 0.75f, true);
    private final boolean isOwn;

    private SqlConnection(Connection jdbc, boolean isOwn) {
        this.jdbc = jdbc;
        this.isOwn = isOwn;
    }

    /** Open a connection, set its pragmas and load the library. */
    static SqlConnection open(String path, OpenOptions options) {
        Path library = ExtensionLibrary.find(options.extensionPath());
        SqlConnection opened = null;
        try {
            opened = new SqlConnection(DriverManager.getConnection("jdbc:sqlite:" + path), true);
            opened.configure(options);
            load(opened.jdbc, library);
            opened.one("SELECT honker_busy_timeout(?)", options.busyTimeout().toMillis());
            return opened;
        } catch (SQLException error) {
            closeAfter(opened, error);
            throw SqlErrors.typed(error);
        } catch (RuntimeException error) {
            closeAfter(opened, error);
            throw error;
        }
    }

    private static void closeAfter(SqlConnection opened, Exception error) {
        try {
            if (opened != null) {
                opened.jdbc.close();
            }
        } catch (SQLException second) {
            error.addSuppressed(second);
        }
    }

    /** A connection of the application, which has loaded the library. */
    static SqlConnection of(Connection jdbc) {
        return new SqlConnection(Arguments.required("connection", jdbc), false);
    }

    static void load(Connection jdbc, Path library) {
        try {
            var database = jdbc.unwrap(SQLiteConnection.class).getDatabase();
            database.enable_load_extension(true);
            try (PreparedStatement statement = jdbc.prepareStatement("SELECT load_extension(?)")) {
                statement.setString(1, library.toString());
                statement.executeQuery().close();
            } finally {
                database.enable_load_extension(false);
            }
        } catch (SQLException error) {
            HonkerException typed = SqlErrors.typed(error);
            String code = "HONKER_SQLITE".equals(typed.code()) ? "HONKER_EXTENSION_UNSUPPORTED" : typed.code();
            throw new HonkerLoadException(code, library + ": " + typed.getMessage(), error);
        }
    }

    private void configure(OpenOptions options) throws SQLException {
        try (Statement statement = jdbc.createStatement()) {
            statement.execute("PRAGMA busy_timeout = " + options.busyTimeout().toMillis());
            setJournalMode(statement, options);
            statement.execute("PRAGMA synchronous = NORMAL");
            statement.execute("PRAGMA foreign_keys = ON");
            statement.execute("PRAGMA cache_size = -32000");
            statement.execute("PRAGMA temp_store = MEMORY");
            statement.execute("PRAGMA wal_autocheckpoint = " + options.walAutocheckpoint());
        }
    }

    /** SQLite does not wait for another process that changes the mode at the same time. */
    private static void setJournalMode(Statement statement, OpenOptions options) throws SQLException {
        if (!options.journalMode().matches("[A-Za-z]+")) {
            throw new HonkerInvalidOptionException(
                    "journalMode is " + options.journalMode() + "; give a name such as WAL");
        }
        long deadline = System.nanoTime() + options.busyTimeout().toNanos();
        while (true) {
            try {
                statement.execute("PRAGMA journal_mode = " + options.journalMode());
                return;
            } catch (SQLException error) {
                boolean isBusy = (SqlErrors.resultCode(error) & PRIMARY_CODE) == BUSY;
                if (!isBusy || System.nanoTime() > deadline) {
                    throw error;
                }
                Thread.onSpinWait();
            }
        }
    }

    /** The first column of the first row, or null without a row. Integers are Long. */
    Object one(String sql, Object... args) {
        return run(sql, Arrays.asList(args), isOwn, statement -> {
            try (ResultSet rows = statement.executeQuery()) {
                return rows.next() ? value(rows, 1) : null;
            }
        });
    }

    String text(String sql, Object... args) {
        return (String) one(sql, args);
    }

    long integer(String sql, Object... args) {
        return ((Number) one(sql, args)).longValue();
    }

    boolean flag(String sql, Object... args) {
        return integer(sql, args) != 0;
    }

    /** The rows of a statement; none if it returns none. */
    List<Row> query(String sql, List<?> args) {
        return run(sql, args, false, statement -> {
            if (!statement.execute()) {
                return List.of();
            }
            try (ResultSet rows = statement.getResultSet()) {
                return read(rows);
            }
        });
    }

    /** The number of rows that a statement has changed. */
    int execute(String sql, List<?> args) {
        return run(sql, args, false, statement -> {
            if (statement.execute()) {
                statement.getResultSet().close();
                return 0;
            }
            return statement.getUpdateCount();
        });
    }

    private interface Step<T> {
        T run(PreparedStatement statement) throws SQLException;
    }

    private <T> T run(String sql, List<?> args, boolean isKept, Step<T> step) {
        try {
            return isKept ? runKept(sql, args, step) : runOnce(sql, args, step);
        } catch (SQLException error) {
            throw SqlErrors.typed(error);
        }
    }

    private <T> T runOnce(String sql, List<?> args, Step<T> step) throws SQLException {
        try (PreparedStatement statement = jdbc.prepareStatement(Arguments.required("sql", sql))) {
            return run(statement, args, step);
        }
    }

    private <T> T runKept(String sql, List<?> args, Step<T> step) throws SQLException {
        PreparedStatement statement = prepared(sql);
        try {
            T value = run(statement, args, step);
            statement.clearParameters(); // a large payload would stay
            return value;
        } catch (SQLException error) {
            kept.remove(sql); // the driver ends a statement that has failed
            statement.close();
            throw error;
        }
    }

    private static <T> T run(PreparedStatement statement, List<?> args, Step<T> step) throws SQLException {
        for (int index = 0; index < args.size(); index++) {
            bind(statement, index + 1, args.get(index));
        }
        return step.run(statement);
    }

    private PreparedStatement prepared(String sql) throws SQLException {
        PreparedStatement found = kept.get(sql);
        if (found != null) {
            return found;
        }
        PreparedStatement made = jdbc.prepareStatement(sql);
        kept.put(sql, made);
        if (kept.size() > KEPT_STATEMENTS) {
            var oldest = kept.values().iterator();
            oldest.next().close();
            oldest.remove();
        }
        return made;
    }

    private static void bind(PreparedStatement statement, int index, Object value) throws SQLException {
        if (value instanceof Boolean flag) {
            statement.setInt(index, flag ? 1 : 0);
        } else if (value instanceof Instant instant) {
            statement.setObject(index, Arguments.seconds(instant));
        } else if (value instanceof Duration span) {
            statement.setObject(index, Arguments.seconds(span));
        } else {
            statement.setObject(index, value);
        }
    }

    private static List<Row> read(ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        List<Row> read = new ArrayList<>();
        while (rows.next()) {
            Map<String, Object> values = new LinkedHashMap<>();
            for (int column = 1; column <= columns.getColumnCount(); column++) {
                values.put(columns.getColumnLabel(column), value(rows, column));
            }
            read.add(new Row(values));
        }
        return read;
    }

    private static Object value(ResultSet rows, int column) throws SQLException {
        Object value = rows.getObject(column);
        return value instanceof Integer small ? (Object) Long.valueOf(small) : value;
    }

    @Override
    public void close() {
        try {
            jdbc.close();
        } catch (SQLException error) {
            throw SqlErrors.typed(error);
        }
    }
}
