package dev.honker;

import java.nio.file.Path;
import java.sql.Connection;

/** Opens databases. */
public final class Honker {
    private Honker() {}

    /**
     * Opens a database file, and creates it and the tables of honker if they are missing.
     *
     * @param path the file
     * @return the database; close it
     * @throws HonkerLoadException if the library of honker is not found or cannot be loaded
     * @throws HonkerSqlException if the file cannot be opened
     */
    public static Database open(String path) {
        return open(path, OpenOptions.defaults());
    }

    /**
     * Opens a database file as {@link #open(String)} does.
     *
     * @param path the file
     * @return the database; close it
     */
    public static Database open(Path path) {
        return open(path.toString());
    }

    /**
     * Opens a database file as {@link #open(String)} does.
     *
     * @param path the file
     * @param options the options
     * @return the database; close it
     */
    public static Database open(Path path, OpenOptions options) {
        return open(path.toString(), options);
    }

    /**
     * Opens a database file as {@link #open(String)} does.
     *
     * @param path the file
     * @param options the options
     * @return the database; close it
     */
    public static Database open(String path, OpenOptions options) {
        Arguments.required("path", path);
        Arguments.required("options", options);
        if (path.isEmpty() || path.contains(":memory:") || path.contains("mode=memory")) {
            throw new HonkerInvalidOptionException(
                    "path is \"" + path + "\"; give a file, which other connections can open");
        }
        return new Database(Path.of(path).toAbsolutePath().toString(), options);
    }

    /**
     * Loads the functions of honker into a connection of sqlite-jdbc that the application has opened, and creates the
     * tables of honker if they are missing. Nothing else is changed on the connection. Pass it to {@link
     * Transaction#of} then.
     *
     * @param connection a connection, or a wrapper of one
     * @throws HonkerLoadException if the library of honker is not found or cannot be loaded
     * @throws HonkerSqlException if the tables cannot be created
     */
    public static void attach(Connection connection) {
        SqlConnection.load(Arguments.required("connection", connection), ExtensionLibrary.find(null));
        SqlConnection.of(connection).one("SELECT honker_bootstrap()");
    }
}
