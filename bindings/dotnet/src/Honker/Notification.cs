using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>A notification of a channel.</summary>
    public sealed class Notification
    {
        private const string ReadSql = "SELECT honker_notification_read_since(@p0, @p1, 1000)";
        private static readonly TimeSpan FallbackPoll = TimeSpan.FromSeconds(15);
        private readonly OpenOptions options;

        private Notification(JsonElement row, OpenOptions options)
        {
            this.options = options;
            Id = row.GetProperty("id").GetInt64();
            Channel = row.GetProperty("channel").GetString()!;
            PayloadRaw = row.GetProperty("payload").GetString()!;
            CreatedAt = Instants.Of(row, "created_at") ?? 0;
        }

        /// <summary>The id, which grows over all channels.</summary>
        public long Id { get; }

        /// <summary>The channel.</summary>
        public string Channel { get; }

        /// <summary>The payload as it is stored.</summary>
        public string PayloadRaw { get; }

        /// <summary>The payload.</summary>
        /// <exception cref="PayloadException">It is not JSON.</exception>
        public JsonElement Payload => Payloads.Decode(PayloadRaw);

        /// <summary>The instant at which it was sent, in Unix seconds.</summary>
        public long CreatedAt { get; }

        /// <summary>The payload as a type.</summary>
        /// <typeparam name="T">The type.</typeparam>
        /// <exception cref="PayloadException">It is no JSON of the type.</exception>
        public T GetPayload<T>()
        {
            return Payloads.Decode<T>(PayloadRaw, options);
        }

        internal static async IAsyncEnumerable<Notification> ReadAsync(
            Engine engine, string channel, long last, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Task news = engine.Watcher.News();
                JsonElement rows = engine.Json(ReadSql, channel, last);
                foreach (JsonElement row in rows.EnumerateArray())
                {
                    var notification = new Notification(row, engine.Options);
                    last = notification.Id;
                    yield return notification;
                }
                if (rows.GetArrayLength() == 0)
                {
                    await engine.Watcher.WaitAsync(news, FallbackPoll, cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }
}
