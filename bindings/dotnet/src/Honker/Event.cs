using System.Text.Json;

namespace Honker
{
    /// <summary>An event of a stream.</summary>
    public sealed class Event
    {
        private readonly OpenOptions options;

        internal Event(JsonElement row, OpenOptions options)
        {
            this.options = options;
            Offset = row.GetProperty("offset").GetInt64();
            Topic = row.GetProperty("topic").GetString()!;
            Key = row.GetProperty("key").GetString();
            PayloadRaw = row.GetProperty("payload").GetString()!;
            CreatedAt = Instants.Of(row, "created_at") ?? 0;
        }

        /// <summary>The position, from 1. It grows over all topics together.</summary>
        public long Offset { get; }

        /// <summary>The topic.</summary>
        public string Topic { get; }

        /// <summary>The key it was published with, or null.</summary>
        public string? Key { get; }

        /// <summary>The payload as it is stored.</summary>
        public string PayloadRaw { get; }

        /// <summary>The payload.</summary>
        /// <exception cref="PayloadException">It is not JSON.</exception>
        public JsonElement Payload => Payloads.Decode(PayloadRaw);

        /// <summary>The instant at which it was published, in Unix seconds.</summary>
        public long CreatedAt { get; }

        /// <summary>The payload as a type.</summary>
        /// <typeparam name="T">The type.</typeparam>
        /// <exception cref="PayloadException">It is no JSON of the type.</exception>
        public T GetPayload<T>()
        {
            return Payloads.Decode<T>(PayloadRaw, options);
        }
    }
}
