using System;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Honker
{
    /// <summary>The functions of SQLite's C API that the package calls.</summary>
    internal static class NativeMethods
    {
        internal const int Ok = 0;
        internal const int Row = 100;
        internal const int Done = 101;

        private const string Library = "honker-sqlite3";
        private const string LibraryVariable = "HONKER_SQLITE_LIBRARY";

        // An application that ships e_sqlite3 (Microsoft.Data.Sqlite, Entity Framework Core) must not get a second
        // SQLite in its process: closing a file in one library drops the file locks of the other.
        private static readonly string[] Candidates =
        {
            "e_sqlite3", "libsqlite3.so.0", "sqlite3", "libsqlite3.dylib", "winsqlite3",
        };

        internal static readonly IntPtr Transient = new IntPtr(-1);

        static NativeMethods()
        {
            NativeLibrary.SetDllImportResolver(typeof(NativeMethods).Assembly, Resolve);
        }

        private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? search)
        {
            if (name != Library)
            {
                return IntPtr.Zero;
            }
            string? named = Environment.GetEnvironmentVariable(LibraryVariable);
            if (!string.IsNullOrEmpty(named))
            {
                return NativeLibrary.Load(named);
            }
            foreach (string candidate in Candidates)
            {
                if (NativeLibrary.TryLoad(candidate, assembly, search, out IntPtr handle))
                {
                    return handle;
                }
            }
            throw new DllNotFoundException(
                $"no SQLite library: tried {string.Join(", ", Candidates)}; {LibraryVariable} names another one");
        }

        [DllImport(Library)]
        internal static extern int sqlite3_open_v2(byte[] path, out IntPtr db, int flags, IntPtr vfs);

        [DllImport(Library)]
        internal static extern int sqlite3_close_v2(IntPtr db);

        [DllImport(Library)]
        internal static extern IntPtr sqlite3_errmsg(IntPtr db);

        [DllImport(Library)]
        internal static extern int sqlite3_extended_errcode(IntPtr db);

        [DllImport(Library)]
        internal static extern int sqlite3_get_autocommit(IntPtr db);

        [DllImport(Library)]
        internal static extern int sqlite3_changes(IntPtr db);

        [DllImport(Library)]
        internal static extern int sqlite3_enable_load_extension(IntPtr db, int on);

        [DllImport(Library)]
        internal static extern int sqlite3_load_extension(IntPtr db, byte[] file, IntPtr entry, out IntPtr message);

        [DllImport(Library)]
        internal static extern void sqlite3_free(IntPtr memory);

        [DllImport(Library)]
        internal static extern int sqlite3_prepare_v2(
            IntPtr db, IntPtr sql, int length, out IntPtr statement, out IntPtr tail);

        [DllImport(Library)]
        internal static extern int sqlite3_step(IntPtr statement);

        [DllImport(Library)]
        internal static extern int sqlite3_reset(IntPtr statement);

        [DllImport(Library)]
        internal static extern int sqlite3_clear_bindings(IntPtr statement);

        [DllImport(Library)]
        internal static extern int sqlite3_finalize(IntPtr statement);

        [DllImport(Library)]
        internal static extern int sqlite3_bind_parameter_count(IntPtr statement);

        [DllImport(Library)]
        internal static extern IntPtr sqlite3_bind_parameter_name(IntPtr statement, int index);

        [DllImport(Library)]
        internal static extern int sqlite3_bind_null(IntPtr statement, int index);

        [DllImport(Library)]
        internal static extern int sqlite3_bind_int64(IntPtr statement, int index, long value);

        [DllImport(Library)]
        internal static extern int sqlite3_bind_double(IntPtr statement, int index, double value);

        [DllImport(Library)]
        internal static extern int sqlite3_bind_text(
            IntPtr statement, int index, byte[] value, int length, IntPtr destructor);

        [DllImport(Library)]
        internal static extern int sqlite3_bind_blob(
            IntPtr statement, int index, byte[] value, int length, IntPtr destructor);

        [DllImport(Library)]
        internal static extern int sqlite3_column_count(IntPtr statement);

        [DllImport(Library)]
        internal static extern IntPtr sqlite3_column_name(IntPtr statement, int column);

        [DllImport(Library)]
        internal static extern int sqlite3_column_type(IntPtr statement, int column);

        [DllImport(Library)]
        internal static extern long sqlite3_column_int64(IntPtr statement, int column);

        [DllImport(Library)]
        internal static extern double sqlite3_column_double(IntPtr statement, int column);

        [DllImport(Library)]
        internal static extern IntPtr sqlite3_column_text(IntPtr statement, int column);

        [DllImport(Library)]
        internal static extern IntPtr sqlite3_column_blob(IntPtr statement, int column);

        [DllImport(Library)]
        internal static extern int sqlite3_column_bytes(IntPtr statement, int column);
    }
}
