using System;
using System.Collections.Generic;
using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Honker
{
    /// <summary>
    /// Opens the connections of honker with Microsoft.Data.Sqlite. Use it in an application that uses that package or
    /// Entity Framework Core, by <c>new OpenOptions { Driver = new MicrosoftDataSqliteDriver() }</c>;
    /// <see cref="Database.RawConnection"/> is then a <see cref="SqliteConnection"/>.
    /// </summary>
    public sealed class MicrosoftDataSqliteDriver : ISqliteDriver
    {
        /// <summary>Open a connection.</summary>
        /// <param name="path">A path, a <c>file:</c> URI, or <c>:memory:</c>.</param>
        public ISqliteConnection Open(string path)
        {
            var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path }.ToString());
            try
            {
                connection.Open();
            }
            catch (SqliteException error)
            {
                connection.Dispose();
                throw MicrosoftDataSqliteConnection.Typed(error);
            }
            return new MicrosoftDataSqliteConnection(connection);
        }
    }

    /// <summary>A connection of <see cref="MicrosoftDataSqliteDriver"/>.</summary>
    internal sealed class MicrosoftDataSqliteConnection : ISqliteConnection
    {
        private readonly SqliteConnection connection;

        internal MicrosoftDataSqliteConnection(SqliteConnection connection)
        {
            this.connection = connection;
        }

        public object Raw => connection;

        public bool IsInTransaction => SQLitePCL.raw.sqlite3_get_autocommit(connection.Handle) == 0;

        public void LoadExtension(string path)
        {
            Typed<object?>(() =>
            {
                connection.LoadExtension(path);
                connection.EnableExtensions(false);
                return null;
            });
        }

        public List<Dictionary<string, object?>> Query(string sql, IReadOnlyList<object?> arguments)
        {
            return Typed(() =>
            {
                using SqliteCommand command = Command(sql, arguments);
                using SqliteDataReader reader = command.ExecuteReader();
                var rows = new List<Dictionary<string, object?>>();
                do
                {
                    if (reader.FieldCount > 0)
                    {
                        rows = Rows(reader);
                    }
                }
                while (reader.NextResult());
                return rows;
            });
        }

        public object? Scalar(string sql, IReadOnlyList<object?> arguments)
        {
            return Typed(() =>
            {
                using SqliteCommand command = Command(sql, arguments);
                using SqliteDataReader reader = command.ExecuteReader();
                object? value = reader.Read() ? Value(reader, 0) : null;
                // A writing statement is complete only after its last step.
                while (reader.Read())
                {
                }
                return value;
            });
        }

        public int Execute(string sql, IReadOnlyList<object?> arguments)
        {
            return Typed(() =>
            {
                using SqliteCommand command = Command(sql, arguments);
                return Math.Max(0, command.ExecuteNonQuery());
            });
        }

        public void Dispose()
        {
            connection.Dispose();
            // A pooled connection would keep the file open.
            SqliteConnection.ClearPool(connection);
        }

        internal static DatabaseException Typed(SqliteException error)
        {
            return HonkerException.FromSqlite(error.Message, error.SqliteExtendedErrorCode, error);
        }

        private static T Typed<T>(Func<T> action)
        {
            try
            {
                return action();
            }
            catch (SqliteException error)
            {
                throw Typed(error);
            }
        }

        private static List<Dictionary<string, object?>> Rows(SqliteDataReader reader)
        {
            var rows = new List<Dictionary<string, object?>>();
            while (reader.Read())
            {
                var row = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
                for (int column = 0; column < reader.FieldCount; column++)
                {
                    row[reader.GetName(column)] = Value(reader, column);
                }
                rows.Add(row);
            }
            return rows;
        }

        private static object? Value(SqliteDataReader reader, int column)
        {
            object value = reader.GetValue(column);
            return value is DBNull ? null : value;
        }

        private SqliteCommand Command(string sql, IReadOnlyList<object?> arguments)
        {
            SqliteCommand command = connection.CreateCommand();
            command.CommandText = sql;
            // SQLite waits by its busy timeout; the command would wait again, by sleeping.
            command.CommandTimeout = 1;
            for (int index = 0; index < arguments.Count; index++)
            {
                string name = "@p" + index.ToString(CultureInfo.InvariantCulture);
                command.Parameters.AddWithValue(name, arguments[index] ?? DBNull.Value);
            }
            return command;
        }
    }
}
