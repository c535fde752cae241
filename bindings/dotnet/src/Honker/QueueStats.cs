using System.Linq;
using System.Text.Json;

namespace Honker
{
    /// <summary>Counts of the jobs of a queue, all of one moment. Each stops at 10,000; see <see cref="IsExact"/>.
    /// Instants are Unix seconds.</summary>
    public sealed class QueueStats
    {
        private static readonly string[] Counts =
        {
            "ready", "delayed", "processing", "lapsed", "blocked", "waiting", "dead",
        };

        internal QueueStats(JsonElement row)
        {
            Ready = row.GetProperty("ready").GetInt64();
            Delayed = row.GetProperty("delayed").GetInt64();
            Processing = row.GetProperty("processing").GetInt64();
            Lapsed = row.GetProperty("lapsed").GetInt64();
            Blocked = row.GetProperty("blocked").GetInt64();
            Waiting = row.GetProperty("waiting").GetInt64();
            Dead = row.GetProperty("dead").GetInt64();
            IsExact = Counts.All(count => row.GetProperty(count + "_is_exact").GetBoolean());
            OldestReadyAgeSeconds = Real(row, "oldest_ready_age_s");
            NextDueAt = Real(row, "next_due_at");
            PausedAt = Real(row, "paused_at");
        }

        /// <summary>Jobs that are due.</summary>
        public long Ready { get; }

        /// <summary>Jobs that are not due yet.</summary>
        public long Delayed { get; }

        /// <summary>Jobs that are leased.</summary>
        public long Processing { get; }

        /// <summary>Leased jobs whose lease has expired.</summary>
        public long Lapsed { get; }

        /// <summary>Jobs that wait for others of their key.</summary>
        public long Blocked { get; }

        /// <summary>Jobs that wait for the jobs after which they run.</summary>
        public long Waiting { get; }

        /// <summary>Dead letters.</summary>
        public long Dead { get; }

        /// <summary>False if a count stopped at 10,000 and is a lower bound.</summary>
        public bool IsExact { get; }

        /// <summary>The age of the job that has been due for longest, or null.</summary>
        public double? OldestReadyAgeSeconds { get; }

        /// <summary>The instant at which the first delayed job becomes due, or null.</summary>
        public double? NextDueAt { get; }

        /// <summary>The instant of the pause, or null if the queue runs.</summary>
        public double? PausedAt { get; }

        private static double? Real(JsonElement row, string name)
        {
            JsonElement value = row.GetProperty(name);
            return value.ValueKind == JsonValueKind.Null ? (double?)null : value.GetDouble();
        }
    }
}
