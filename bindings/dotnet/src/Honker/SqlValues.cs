using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text.Json;

namespace Honker
{
    /// <summary>Values of .NET as SQLite stores them.</summary>
    internal static class SqlValues
    {
        internal static IReadOnlyList<object?> Of(object?[]? arguments)
        {
            // `Execute(sql, null)` passes no array; it means one NULL.
            var values = new object?[arguments?.Length ?? 1];
            for (int index = 0; index < values.Length; index++)
            {
                values[index] = arguments == null ? null : One(arguments[index]);
            }
            return values;
        }

        private static object? One(object? value)
        {
            switch (value)
            {
                case null:
                case DBNull _:
                    return null;
                case long _:
                case double _:
                case string _:
                case byte[] _:
                    return value;
                case bool flag:
                    return flag ? 1L : 0L;
                case Enum _:
                case int _:
                case short _:
                case sbyte _:
                case byte _:
                case ushort _:
                case uint _:
                    return Convert.ToInt64(value, CultureInfo.InvariantCulture);
                case float number:
                    return (double)number;
                case decimal number:
                    // As text: a double would lose digits.
                    return number.ToString(CultureInfo.InvariantCulture);
                case Guid _:
                case char _:
                    return value.ToString();
                case JsonElement json:
                    return json.GetRawText();
                case DateTimeOffset moment:
                    return moment.ToString("yyyy-MM-dd HH:mm:ss.FFFFFFFzzz", CultureInfo.InvariantCulture);
                case DateTime moment:
                    return moment.ToString("yyyy-MM-dd HH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture);
                default:
                    throw new InvalidArgumentException(
                        $"HONKER_INVALID_ARGUMENT: a parameter of SQL cannot be a {value.GetType()}");
            }
        }
    }
}
