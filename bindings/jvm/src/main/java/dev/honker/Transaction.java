package dev.honker;

import java.sql.Connection;
import java.util.List;
import java.util.function.Function;

/**
 * A transaction. Calls that take it commit or roll back with it. One thread at a time may use it.
 */
public final class Transaction {
    private final SqlConnection connection;
    private volatile boolean hasEnded;

    Transaction(SqlConnection connection) {
        this.connection = connection;
    }

    /**
     * The transaction of a connection that the application has opened. Calls that take it run on that connection,
     * inside the transaction that it has, or by themselves if it has none. The application commits.
     *
     * @param connection a connection on which {@link Honker#attach} was called
     * @return the transaction
     */
    public static Transaction of(Connection connection) {
        return new Transaction(SqlConnection.of(connection));
    }

    /**
     * Runs a statement.
     *
     * @param sql one statement
     * @return the number of rows changed
     */
    public int execute(String sql) {
        return execute(sql, List.of());
    }

    /**
     * Runs a statement.
     *
     * @param sql one statement
     * @param args the values of its parameters
     * @return the number of rows changed
     */
    public int execute(String sql, List<?> args) {
        return run(each -> each.execute(sql, args));
    }

    /**
     * Runs a query.
     *
     * @param sql one statement
     * @return its rows
     */
    public List<Row> query(String sql) {
        return query(sql, List.of());
    }

    /**
     * Runs a query.
     *
     * @param sql one statement
     * @param args the values of its parameters
     * @return its rows
     */
    public List<Row> query(String sql, List<?> args) {
        return run(each -> each.query(sql, args));
    }

    /**
     * Sends a notification if and only if the transaction commits.
     *
     * @param channel the channel
     * @param json the payload
     * @return the id of the notification
     */
    public long notify(String channel, String json) {
        return run(each -> each.integer("SELECT notify(?, ?)", channel, Arguments.required("json", json)));
    }

    <T> T run(Function<SqlConnection, T> call) {
        if (hasEnded) {
            throw new HonkerClosedException("the transaction has ended");
        }
        return call.apply(connection);
    }

    void end() {
        hasEnded = true;
    }
}
