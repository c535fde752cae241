using System;
using System.Text.Json;

namespace Honker
{
    /// <summary>Instants of the engine, which may have a fraction, as whole Unix seconds.</summary>
    internal static class Instants
    {
        internal static long RoundedUp(double seconds)
        {
            return (long)Math.Ceiling(seconds);
        }

        /// <summary>A field of a row; null if it is null.</summary>
        internal static long? Of(JsonElement row, string field)
        {
            JsonElement value = row.GetProperty(field);
            return value.ValueKind == JsonValueKind.Null ? (long?)null : RoundedUp(value.GetDouble());
        }
    }
}
