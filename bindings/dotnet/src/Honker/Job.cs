using System;
using System.Text.Json;

namespace Honker
{
    /// <summary>
    /// A claimed job. Settle it with <see cref="Ack"/>, <see cref="Retry"/> or <see cref="Fail"/>; each returns false
    /// if the lease has lapsed and another worker has the job.
    /// </summary>
    public sealed class Job
    {
        private readonly Queue queue;
        private readonly Lazy<JsonElement> payload;

        internal Job(Queue queue, JsonElement row)
        {
            this.queue = queue;
            Id = row.GetProperty("id").GetInt64();
            QueueName = row.GetProperty("queue").GetString()!;
            PayloadRaw = row.GetProperty("payload").GetString()!;
            WorkerId = row.GetProperty("worker_id").GetString()!;
            Attempts = row.GetProperty("attempts").GetInt32();
            ClaimExpiresAt = Instants.Of(row, "claim_expires_at") ?? 0;
            State = row.GetProperty("state").GetString()!;
            payload = new Lazy<JsonElement>(() => Payloads.Decode(PayloadRaw));
        }

        /// <summary>The id.</summary>
        public long Id { get; }

        /// <summary>The name of its queue.</summary>
        public string QueueName { get; }

        /// <summary>The payload.</summary>
        /// <exception cref="PayloadException">It is not JSON.</exception>
        public JsonElement Payload => payload.Value;

        /// <summary>The payload as it is stored.</summary>
        public string PayloadRaw { get; }

        /// <summary>The worker that claimed it.</summary>
        public string WorkerId { get; }

        /// <summary>The number of this attempt, from 1.</summary>
        public int Attempts { get; }

        /// <summary>The last second of the lease, in Unix seconds, as it was when the job was claimed.</summary>
        public long ClaimExpiresAt { get; }

        /// <summary>The state: <c>processing</c>.</summary>
        public string State { get; }

        /// <summary>The payload as a type.</summary>
        /// <typeparam name="T">The type.</typeparam>
        /// <exception cref="PayloadException">It is no JSON of the type.</exception>
        public T GetPayload<T>()
        {
            return Payloads.Decode<T>(PayloadRaw, queue.Engine.Options);
        }

        /// <summary>Remove the finished job.</summary>
        /// <param name="transaction">A transaction to do it in, with the rows that the job has written.</param>
        /// <returns>False if the lease was lost.</returns>
        public bool Ack(HonkerTransaction? transaction = null)
        {
            return queue.Engine.Flag(transaction, "SELECT honker_ack(@p0, @p1, @p2)", Id, WorkerId, Attempts);
        }

        /// <summary>Give the job back for another attempt; after the last one it is a dead letter.</summary>
        /// <param name="delaySeconds">Seconds before it is claimed again.</param>
        /// <param name="error">The reason.</param>
        /// <returns>False if the lease was lost.</returns>
        public bool Retry(double delaySeconds = 60, string? error = "")
        {
            const string sql = "SELECT honker_retry(@p0, @p1, @p2, @p3, @p4)";
            return queue.Engine.Flag(null, sql, Id, WorkerId, delaySeconds, error ?? "", Attempts);
        }

        /// <summary>Make the job a dead letter.</summary>
        /// <param name="error">The reason.</param>
        /// <returns>False if the lease was lost.</returns>
        public bool Fail(string? error = "")
        {
            return queue.Engine.Flag(
                null, "SELECT honker_fail(@p0, @p1, @p2, @p3)", Id, WorkerId, error ?? "", Attempts);
        }

        /// <summary>Extend the lease.</summary>
        /// <param name="extendSeconds">Seconds from now; null means the lease of the queue.</param>
        /// <returns>False if the lease was lost.</returns>
        public bool Heartbeat(double? extendSeconds = null)
        {
            double extend = extendSeconds ?? queue.VisibilityTimeoutSeconds;
            return queue.Engine.Flag(
                null, "SELECT honker_heartbeat(@p0, @p1, @p2, @p3)", Id, WorkerId, extend, Attempts);
        }

        /// <summary>Put the job off. The attempt is not counted.</summary>
        /// <param name="delaySeconds">Seconds before it is claimed again.</param>
        /// <returns>False if the lease was lost.</returns>
        public bool Snooze(double delaySeconds)
        {
            const string sql = "SELECT honker_snooze(@p0, @p1, @p2, @p3)";
            return queue.Engine.Flag(null, sql, Id, WorkerId, delaySeconds, Attempts);
        }

        /// <summary>Give the claim back. The attempt is not counted.</summary>
        /// <returns>False if the lease was lost.</returns>
        public bool Release()
        {
            return queue.Engine.Flag(null, "SELECT honker_release(@p0, @p1, @p2)", Id, WorkerId, Attempts);
        }
    }
}
