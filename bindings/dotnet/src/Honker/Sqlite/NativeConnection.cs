using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Honker
{
    /// <summary>The default driver: the SQLite library of the system or of the application, called directly.</summary>
    public sealed class NativeDriver : ISqliteDriver
    {
        /// <summary>Open a connection.</summary>
        /// <param name="path">A path, a <c>file:</c> URI, or <c>:memory:</c>.</param>
        public ISqliteConnection Open(string path)
        {
            return new NativeConnection(path);
        }
    }

    /// <summary>A connection of <see cref="NativeDriver"/>. One thread at a time may use it.</summary>
    public sealed class NativeConnection : ISqliteConnection
    {
        private const int ReadWriteCreateUri = 0x2 | 0x4 | 0x40;
        private const int CachedStatements = 64;
        private readonly Dictionary<string, NativeStatement> statements = new Dictionary<string, NativeStatement>();
        private IntPtr db;

        internal NativeConnection(string path)
        {
            int code = NativeMethods.sqlite3_open_v2(Terminated(path), out db, ReadWriteCreateUri, IntPtr.Zero);
            if (code != NativeMethods.Ok)
            {
                DatabaseException failure = Failure($"{path}: ");
                NativeMethods.sqlite3_close_v2(db);
                db = IntPtr.Zero;
                throw failure;
            }
        }

        /// <summary>This connection.</summary>
        public object Raw => this;

        /// <summary>True while a transaction is open.</summary>
        public bool IsInTransaction => db != IntPtr.Zero && NativeMethods.sqlite3_get_autocommit(db) == 0;

        /// <summary>Load an extension.</summary>
        /// <param name="path">The library's file.</param>
        public void LoadExtension(string path)
        {
            NativeMethods.sqlite3_enable_load_extension(db, 1);
            int code = NativeMethods.sqlite3_load_extension(db, Terminated(path), IntPtr.Zero, out IntPtr message);
            NativeMethods.sqlite3_enable_load_extension(db, 0);
            if (code != NativeMethods.Ok)
            {
                string text = Marshal.PtrToStringUTF8(message) ?? "the extension did not load";
                NativeMethods.sqlite3_free(message);
                throw HonkerException.FromSqlite(text, code);
            }
        }

        /// <summary>Run statements and return the rows of the last one that returns any.</summary>
        /// <param name="sql">One or more statements.</param>
        /// <param name="arguments">The values of @p0, @p1 and so on, or of ?.</param>
        public List<Dictionary<string, object?>> Query(string sql, IReadOnlyList<object?> arguments)
        {
            var rows = new List<Dictionary<string, object?>>();
            Run(sql, arguments, statement =>
            {
                if (NativeMethods.sqlite3_column_count(statement.Handle) > 0)
                {
                    rows = statement.Rows();
                }
                else
                {
                    statement.Finish();
                }
            });
            return rows;
        }

        /// <summary>Run a statement and return the first column of its first row; null without a row.</summary>
        /// <param name="sql">One statement.</param>
        /// <param name="arguments">As in <see cref="Query"/>.</param>
        public object? Scalar(string sql, IReadOnlyList<object?> arguments)
        {
            object? value = null;
            Run(sql, arguments, statement => value = statement.First());
            return value;
        }

        /// <summary>Run statements and return the number of rows changed by the last one.</summary>
        /// <param name="sql">One or more statements.</param>
        /// <param name="arguments">As in <see cref="Query"/>.</param>
        public int Execute(string sql, IReadOnlyList<object?> arguments)
        {
            Run(sql, arguments, statement => statement.Finish());
            return NativeMethods.sqlite3_changes(db);
        }

        /// <summary>Close the connection; an open transaction is rolled back.</summary>
        public void Dispose()
        {
            foreach (NativeStatement each in statements.Values)
            {
                each.Dispose();
            }
            statements.Clear();
            NativeMethods.sqlite3_close_v2(db);
            db = IntPtr.Zero;
        }

        internal DatabaseException Failure(string context = "")
        {
            string message = Marshal.PtrToStringUTF8(NativeMethods.sqlite3_errmsg(db)) ?? "unknown error";
            return HonkerException.FromSqlite(context + message, NativeMethods.sqlite3_extended_errcode(db));
        }

        private static byte[] Terminated(string text)
        {
            return Encoding.UTF8.GetBytes(text + "\0");
        }

        private void Run(string sql, IReadOnlyList<object?> arguments, Action<NativeStatement> step)
        {
            if (db == IntPtr.Zero)
            {
                throw new HonkerClosedException("the connection is closed");
            }
            if (statements.TryGetValue(sql, out NativeStatement? cached))
            {
                RunOne(cached, arguments, step);
                return;
            }
            byte[] text = Terminated(sql);
            GCHandle pinned = GCHandle.Alloc(text, GCHandleType.Pinned);
            try
            {
                RunAll(sql, pinned.AddrOfPinnedObject(), arguments, step);
            }
            finally
            {
                pinned.Free();
            }
        }

        private void RunAll(string sql, IntPtr text, IReadOnlyList<object?> arguments, Action<NativeStatement> step)
        {
            bool isFirst = true;
            while (Marshal.ReadByte(text) != 0)
            {
                int code = NativeMethods.sqlite3_prepare_v2(db, text, -1, out IntPtr handle, out IntPtr tail);
                if (code != NativeMethods.Ok)
                {
                    throw Failure();
                }
                text = tail;
                if (handle == IntPtr.Zero)
                {
                    continue; // a comment or white space
                }
                var statement = new NativeStatement(this, handle);
                bool isKept = isFirst && Marshal.ReadByte(tail) == 0 && statements.Count < CachedStatements;
                isFirst = false;
                if (isKept)
                {
                    statements[sql] = statement;
                    RunOne(statement, arguments, step);
                    continue;
                }
                using (statement)
                {
                    RunOne(statement, arguments, step);
                }
            }
        }

        private static void RunOne(
            NativeStatement statement, IReadOnlyList<object?> arguments, Action<NativeStatement> step)
        {
            try
            {
                statement.Bind(arguments);
                step(statement);
            }
            finally
            {
                statement.Reset();
            }
        }
    }
}
