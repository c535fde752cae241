using System;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Honker
{
    /// <summary>A prepared statement of a <see cref="NativeConnection"/>.</summary>
    internal sealed class NativeStatement : IDisposable
    {
        private static readonly byte[] Nothing = new byte[1];
        private readonly NativeConnection connection;
        private string[]? columns;

        internal NativeStatement(NativeConnection connection, IntPtr handle)
        {
            this.connection = connection;
            Handle = handle;
        }

        internal IntPtr Handle { get; }

        public void Dispose()
        {
            NativeMethods.sqlite3_finalize(Handle);
        }

        internal void Reset()
        {
            // Its code repeats that of the failed step, which was thrown already.
            NativeMethods.sqlite3_reset(Handle);
            NativeMethods.sqlite3_clear_bindings(Handle);
            columns = null;
        }

        /// <summary>Bind values to @p0, @p1 and so on; other parameters take them in order.</summary>
        internal void Bind(IReadOnlyList<object?> arguments)
        {
            int count = NativeMethods.sqlite3_bind_parameter_count(Handle);
            for (int index = 1; index <= count; index++)
            {
                int number = ArgumentOf(index);
                if (number >= arguments.Count)
                {
                    throw new InvalidArgumentException(
                        $"HONKER_INVALID_ARGUMENT: the statement has {count} parameters, {arguments.Count} are given");
                }
                if (BindOne(index, arguments[number]) != NativeMethods.Ok)
                {
                    throw connection.Failure();
                }
            }
        }

        internal bool Step()
        {
            int code = NativeMethods.sqlite3_step(Handle);
            if (code != NativeMethods.Row && code != NativeMethods.Done)
            {
                throw connection.Failure();
            }
            return code == NativeMethods.Row;
        }

        internal void Finish()
        {
            while (Step())
            {
            }
        }

        internal object? First()
        {
            object? value = Step() ? Column(0) : null;
            // A writing statement is complete only after its last step.
            Finish();
            return value;
        }

        internal List<Dictionary<string, object?>> Rows()
        {
            var rows = new List<Dictionary<string, object?>>();
            while (Step())
            {
                columns ??= Names();
                var row = new Dictionary<string, object?>(columns.Length, StringComparer.OrdinalIgnoreCase);
                for (int column = 0; column < columns.Length; column++)
                {
                    row[columns[column]] = Column(column);
                }
                rows.Add(row);
            }
            return rows;
        }

        private int ArgumentOf(int index)
        {
            string? name = Marshal.PtrToStringUTF8(NativeMethods.sqlite3_bind_parameter_name(Handle, index));
            bool isNumbered = name != null && name.Length > 2 && name[1] == 'p';
            if (isNumbered && int.TryParse(
                name!.Substring(2), NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                return number;
            }
            return index - 1;
        }

        private int BindOne(int index, object? value)
        {
            switch (value)
            {
                case null:
                    return NativeMethods.sqlite3_bind_null(Handle, index);
                case long number:
                    return NativeMethods.sqlite3_bind_int64(Handle, index, number);
                case double number:
                    return NativeMethods.sqlite3_bind_double(Handle, index, number);
                case string text:
                    byte[] utf8 = Encoding.UTF8.GetBytes(text);
                    return NativeMethods.sqlite3_bind_text(
                        Handle, index, utf8.Length == 0 ? Nothing : utf8, utf8.Length, NativeMethods.Transient);
                case byte[] bytes:
                    return NativeMethods.sqlite3_bind_blob(
                        Handle, index, bytes.Length == 0 ? Nothing : bytes, bytes.Length, NativeMethods.Transient);
                default:
                    throw new InvalidArgumentException(
                        $"HONKER_INVALID_ARGUMENT: a parameter of SQL cannot be a {value.GetType()}");
            }
        }

        private string[] Names()
        {
            var names = new string[NativeMethods.sqlite3_column_count(Handle)];
            for (int column = 0; column < names.Length; column++)
            {
                names[column] = Marshal.PtrToStringUTF8(NativeMethods.sqlite3_column_name(Handle, column)) ?? "";
            }
            return names;
        }

        private object? Column(int column)
        {
            switch (NativeMethods.sqlite3_column_type(Handle, column))
            {
                case 1:
                    return NativeMethods.sqlite3_column_int64(Handle, column);
                case 2:
                    return NativeMethods.sqlite3_column_double(Handle, column);
                case 3:
                    IntPtr text = NativeMethods.sqlite3_column_text(Handle, column);
                    return Marshal.PtrToStringUTF8(text, NativeMethods.sqlite3_column_bytes(Handle, column));
                case 4:
                    IntPtr blob = NativeMethods.sqlite3_column_blob(Handle, column);
                    var bytes = new byte[NativeMethods.sqlite3_column_bytes(Handle, column)];
                    if (bytes.Length > 0)
                    {
                        Marshal.Copy(blob, bytes, 0, bytes.Length);
                    }
                    return bytes;
                default:
                    return null;
            }
        }
    }
}
