using System.Text.Json;

namespace Honker
{
    /// <summary>A job as it was at one moment. Instants are Unix seconds; fractions are rounded up.</summary>
    public sealed class JobRow
    {
        private readonly OpenOptions options;

        internal JobRow(JsonElement row, OpenOptions options)
        {
            this.options = options;
            Id = row.GetProperty("id").GetInt64();
            QueueName = row.GetProperty("queue").GetString()!;
            PayloadRaw = row.GetProperty("payload").GetString()!;
            State = row.GetProperty("state").GetString()!;
            Priority = row.GetProperty("priority").GetInt64();
            Attempts = row.GetProperty("attempts").GetInt32();
            MaxAttempts = row.GetProperty("max_attempts").GetInt32();
            WorkerId = row.GetProperty("worker_id").GetString();
            RunAt = Instants.Of(row, "run_at") ?? 0;
            CreatedAt = Instants.Of(row, "created_at") ?? 0;
            ClaimExpiresAt = Instants.Of(row, "claim_expires_at");
            ExpiresAt = Instants.Of(row, "expires_at");
        }

        /// <summary>The id.</summary>
        public long Id { get; }

        /// <summary>The name of its queue.</summary>
        public string QueueName { get; }

        /// <summary>The payload as it is stored.</summary>
        public string PayloadRaw { get; }

        /// <summary>The payload.</summary>
        /// <exception cref="PayloadException">It is not JSON.</exception>
        public JsonElement Payload => Payloads.Decode(PayloadRaw);

        /// <summary>The state, such as <c>pending</c> or <c>processing</c>.</summary>
        public string State { get; }

        /// <summary>The priority.</summary>
        public long Priority { get; }

        /// <summary>Claims so far.</summary>
        public int Attempts { get; }

        /// <summary>Claims before it is a dead letter.</summary>
        public int MaxAttempts { get; }

        /// <summary>The worker that has claimed it, or null.</summary>
        public string? WorkerId { get; }

        /// <summary>The instant from which it may be claimed.</summary>
        public long RunAt { get; }

        /// <summary>The instant at which it was enqueued.</summary>
        public long CreatedAt { get; }

        /// <summary>The end of its lease, or null.</summary>
        public long? ClaimExpiresAt { get; }

        /// <summary>The instant from which it is no longer claimed, or null.</summary>
        public long? ExpiresAt { get; }

        /// <summary>The payload as a type.</summary>
        /// <typeparam name="T">The type.</typeparam>
        /// <exception cref="PayloadException">It is no JSON of the type.</exception>
        public T GetPayload<T>()
        {
            return Payloads.Decode<T>(PayloadRaw, options);
        }
    }
}
