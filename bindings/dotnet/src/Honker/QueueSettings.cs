using System.Collections.Generic;
using System.Text.Json;

namespace Honker
{
    /// <summary>The settings of a queue, which every process obeys. Null means no limit.</summary>
    public sealed class QueueSettings
    {
        internal QueueSettings(JsonElement row)
        {
            Concurrency = Integer(row, "concurrency");
            ConcurrencyPerKey = Integer(row, "concurrency_per_key");
            Burst = Integer(row, "burst");
            JsonElement ordered = row.GetProperty("ordered");
            Ordered = ordered.ValueKind == JsonValueKind.Null ? (bool?)null : ordered.GetBoolean();
            OnDead = row.GetProperty("on_dead").GetString();
            Rate = Pair(row.GetProperty("rate"));
            RatePerKey = Pair(row.GetProperty("rate_per_key"));
            JsonElement keep = row.GetProperty("keep_finished_s");
            KeepFinishedSeconds = keep.ValueKind == JsonValueKind.Null ? (double?)null : keep.GetDouble();
        }

        /// <summary>Jobs in flight at most.</summary>
        public int? Concurrency { get; }

        /// <summary>Jobs of one key in flight at most.</summary>
        public int? ConcurrencyPerKey { get; }

        /// <summary>True if the jobs of a key run one at a time, in order.</summary>
        public bool? Ordered { get; }

        /// <summary>If a job of an ordered queue is dead: <c>block</c> (the default) or <c>continue</c>.</summary>
        public string? OnDead { get; }

        /// <summary>Starts of the queue, and the seconds in which they are allowed.</summary>
        public (int Limit, double PerSeconds)? Rate { get; }

        /// <summary>Starts of each key, and the seconds in which they are allowed.</summary>
        public (int Limit, double PerSeconds)? RatePerKey { get; }

        /// <summary>Starts that may come at once.</summary>
        public int? Burst { get; }

        /// <summary>Seconds for which finished jobs are kept for inspection.</summary>
        public double? KeepFinishedSeconds { get; }

        private static int? Integer(JsonElement row, string name)
        {
            JsonElement value = row.GetProperty(name);
            return value.ValueKind == JsonValueKind.Null ? (int?)null : value.GetInt32();
        }

        private static (int Limit, double PerSeconds)? Pair(JsonElement value)
        {
            if (value.ValueKind == JsonValueKind.Null)
            {
                return null;
            }
            return (value[0].GetInt32(), value[1].GetDouble());
        }
    }

    /// <summary>Changes of settings of a queue. Those that are not named stay as they are; null removes one.</summary>
    public sealed class QueueUpdate
    {
        private readonly Dictionary<string, object?> changes = new Dictionary<string, object?>();

        /// <summary>Limit the jobs in flight over all processes.</summary>
        /// <param name="limit">1 to 1,000, or null for none.</param>
        public QueueUpdate WithConcurrency(int? limit)
        {
            return With("concurrency", limit);
        }

        /// <summary>Limit the jobs of one key in flight over all processes.</summary>
        /// <param name="limit">1 to 1,000, or null for none.</param>
        public QueueUpdate WithConcurrencyPerKey(int? limit)
        {
            return With("concurrency_per_key", limit);
        }

        /// <summary>Let one job of a key run at a time, by priority and id.</summary>
        /// <param name="isOrdered">True for an ordered queue.</param>
        public QueueUpdate WithOrdered(bool? isOrdered)
        {
            return With("ordered", isOrdered);
        }

        /// <summary>Set the effect of a dead letter on the jobs behind it in an ordered queue.</summary>
        /// <param name="effect"><c>block</c> or <c>continue</c>; null is <c>block</c>.</param>
        public QueueUpdate WithOnDead(string? effect)
        {
            return With("on_dead", effect);
        }

        /// <summary>Limit the starts over all processes.</summary>
        /// <param name="limit">Starts, 1 to 1,000,000; null removes the limit.</param>
        /// <param name="perSeconds">The seconds in which they are allowed, more than 0.</param>
        public QueueUpdate WithRate(int? limit, double perSeconds = 1)
        {
            return With("rate", Pair(limit, perSeconds));
        }

        /// <summary>Limit the starts of each key over all processes.</summary>
        /// <param name="limit">Starts, 1 to 1,000,000; null removes the limit.</param>
        /// <param name="perSeconds">The seconds in which they are allowed, more than 0.</param>
        public QueueUpdate WithRatePerKey(int? limit, double perSeconds = 1)
        {
            return With("rate_per_key", Pair(limit, perSeconds));
        }

        /// <summary>Set the number of starts that may come at once. It needs a rate.</summary>
        /// <param name="starts">1 to 1,000,000; null is 1.</param>
        public QueueUpdate WithBurst(int? starts)
        {
            return With("burst", starts);
        }

        /// <summary>Keep finished jobs for inspection.</summary>
        /// <param name="seconds">More than 0; null keeps none.</param>
        public QueueUpdate WithKeepFinishedSeconds(double? seconds)
        {
            return With("keep_finished_s", seconds);
        }

        internal string ToJson()
        {
            return Payloads.Encode(changes, new OpenOptions());
        }

        private static object[]? Pair(int? limit, double perSeconds)
        {
            return limit == null ? null : new object[] { limit.Value, perSeconds };
        }

        private QueueUpdate With(string name, object? value)
        {
            changes[name] = value;
            return this;
        }
    }
}
