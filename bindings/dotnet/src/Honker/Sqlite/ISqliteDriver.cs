using System;
using System.Collections.Generic;

namespace Honker
{
    /// <summary>
    /// Opens connections of one SQLite library. honker opens all connections of a database through one.
    /// </summary>
    public interface ISqliteDriver
    {
        /// <summary>Open a connection, without any pragma.</summary>
        /// <param name="path">A path, a <c>file:</c> URI, or <c>:memory:</c>. The file is created.</param>
        /// <exception cref="DatabaseException">The file cannot be opened.</exception>
        ISqliteConnection Open(string path);
    }

    /// <summary>
    /// A connection of a driver. honker serializes the calls. Failures are thrown as made by
    /// <see cref="HonkerException.FromSqlite"/>.
    /// </summary>
    public interface ISqliteConnection : IDisposable
    {
        /// <summary>The driver's own connection object.</summary>
        object Raw { get; }

        /// <summary>True while a transaction is open.</summary>
        bool IsInTransaction { get; }

        /// <summary>Load an extension. SQL's <c>load_extension</c> stays disabled afterwards.</summary>
        /// <param name="path">The library's file.</param>
        void LoadExtension(string path);

        /// <summary>Run statements and return the rows of the last one that returns any.</summary>
        /// <param name="sql">One or more statements.</param>
        /// <param name="arguments">The values of @p0, @p1 and so on: null, long, double, string or byte[].</param>
        List<Dictionary<string, object?>> Query(string sql, IReadOnlyList<object?> arguments);

        /// <summary>Run a statement and return the first column of its first row; null without a row.</summary>
        /// <param name="sql">One statement.</param>
        /// <param name="arguments">As in <see cref="Query"/>.</param>
        object? Scalar(string sql, IReadOnlyList<object?> arguments);

        /// <summary>Run statements without rows and return the number of rows changed by the last one.</summary>
        /// <param name="sql">One or more statements.</param>
        /// <param name="arguments">As in <see cref="Query"/>.</param>
        int Execute(string sql, IReadOnlyList<object?> arguments);
    }
}
