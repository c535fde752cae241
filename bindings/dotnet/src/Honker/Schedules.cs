using System;
using System.Globalization;
using System.Text.Json;

namespace Honker
{
    /// <summary>Schedule expressions.</summary>
    public static class Schedules
    {
        /// <summary>An interval.</summary>
        /// <param name="n">Seconds, at least 1.</param>
        /// <returns>The expression, such as <c>@every 30s</c>.</returns>
        public static string EverySeconds(long n)
        {
            if (n < 1)
            {
                throw new InvalidArgumentException($"HONKER_INVALID_ARGUMENT: n is {n}; it must be at least 1");
            }
            return string.Format(CultureInfo.InvariantCulture, "@every {0}s", n);
        }
    }

    /// <summary>A schedule to add.</summary>
    public sealed class ScheduledTask
    {
        /// <summary>Create a schedule. Give <c>Schedule</c> or <c>Cron</c>; they mean the same.</summary>
        /// <param name="Name">1 to 255 bytes; a schedule of the same name is replaced.</param>
        /// <param name="Queue">The queue of its jobs.</param>
        /// <param name="Payload">The payload of its jobs.</param>
        /// <param name="Schedule">The expression, such as <c>0 3 * * *</c> or <c>@every 30s</c>.</param>
        /// <param name="Cron">The expression.</param>
        /// <param name="Priority">The priority of its jobs.</param>
        /// <param name="ExpiresSeconds">Seconds after the boundary from which a job is no longer claimed.</param>
        /// <param name="MaxAttempts">Claims of a job before it is a dead letter.</param>
        public ScheduledTask(
            string Name = "",
            string Queue = "",
            object? Payload = null,
            string? Schedule = null,
            string? Cron = null,
            long Priority = 0,
            long? ExpiresSeconds = null,
            int MaxAttempts = 3)
        {
            this.Name = Name;
            this.Queue = Queue;
            this.Payload = Payload;
            this.Schedule = Schedule;
            this.Cron = Cron;
            this.Priority = Priority;
            this.ExpiresSeconds = ExpiresSeconds;
            this.MaxAttempts = MaxAttempts;
        }

        /// <summary>The name.</summary>
        public string Name { get; set; }

        /// <summary>The queue of its jobs.</summary>
        public string Queue { get; set; }

        /// <summary>The payload of its jobs.</summary>
        public object? Payload { get; set; }

        /// <summary>The expression.</summary>
        public string? Schedule { get; set; }

        /// <summary>The expression, under its other name.</summary>
        public string? Cron { get; set; }

        /// <summary>The priority of its jobs.</summary>
        public long Priority { get; set; }

        /// <summary>Seconds after the boundary from which a job is no longer claimed, or null.</summary>
        public long? ExpiresSeconds { get; set; }

        /// <summary>Claims of a job before it is a dead letter.</summary>
        public int MaxAttempts { get; set; }

        internal string Expression()
        {
            if ((Schedule == null) == (Cron == null))
            {
                throw new InvalidArgumentException(
                    $"HONKER_INVALID_ARGUMENT: the task '{Name}' needs one of Schedule and Cron");
            }
            return Schedule ?? Cron!;
        }
    }

    /// <summary>Changes of a schedule; a property that is not given stays.</summary>
    public sealed class ScheduleUpdate
    {
        internal string? Cron { get; private set; }

        internal object? Payload { get; private set; }

        internal bool HasPayload { get; private set; }

        internal long? Priority { get; private set; }

        internal long? ExpiresSeconds { get; private set; }

        internal bool HasExpires { get; private set; }

        internal int? MaxAttempts { get; private set; }

        /// <summary>Change the expression. The next boundary is the first one from now.</summary>
        /// <param name="expression">The expression.</param>
        public ScheduleUpdate WithCron(string expression)
        {
            Cron = expression;
            return this;
        }

        /// <summary>Change the expression; as <see cref="WithCron"/>.</summary>
        /// <param name="expression">The expression.</param>
        public ScheduleUpdate WithSchedule(string expression)
        {
            return WithCron(expression);
        }

        /// <summary>Change the payload.</summary>
        /// <param name="payload">The payload; null is a value.</param>
        public ScheduleUpdate WithPayload(object? payload)
        {
            Payload = payload;
            HasPayload = true;
            return this;
        }

        /// <summary>Change the priority.</summary>
        /// <param name="priority">The priority.</param>
        public ScheduleUpdate WithPriority(long priority)
        {
            Priority = priority;
            return this;
        }

        /// <summary>Change the expiry.</summary>
        /// <param name="seconds">Seconds after the boundary; null removes it.</param>
        public ScheduleUpdate WithExpiresSeconds(long? seconds)
        {
            ExpiresSeconds = seconds;
            HasExpires = true;
            return this;
        }

        /// <summary>Change the number of claims of a job.</summary>
        /// <param name="attempts">Claims before it is a dead letter.</param>
        public ScheduleUpdate WithMaxAttempts(int attempts)
        {
            MaxAttempts = attempts;
            return this;
        }
    }

    /// <summary>A schedule as it was at one moment.</summary>
    public sealed class ScheduleRow
    {
        internal ScheduleRow(JsonElement row)
        {
            Name = row.GetProperty("name").GetString()!;
            Queue = row.GetProperty("queue").GetString()!;
            CronExpr = row.GetProperty("cron_expr").GetString()!;
            PayloadRaw = row.GetProperty("payload").GetString()!;
            Priority = row.GetProperty("priority").GetInt64();
            ExpiresSeconds = Instants.Of(row, "expires_s");
            NextFireAt = Instants.Of(row, "next_fire_at") ?? 0;
            Enabled = row.GetProperty("enabled").GetBoolean();
            MaxAttempts = row.GetProperty("max_attempts").GetInt32();
            LastError = row.GetProperty("last_error").GetString();
        }

        /// <summary>The name.</summary>
        public string Name { get; }

        /// <summary>The queue of its jobs.</summary>
        public string Queue { get; }

        /// <summary>The expression.</summary>
        public string CronExpr { get; }

        /// <summary>The payload of its jobs as it is stored.</summary>
        public string PayloadRaw { get; }

        /// <summary>The payload of its jobs.</summary>
        public JsonElement Payload => Payloads.Decode(PayloadRaw);

        /// <summary>The priority of its jobs.</summary>
        public long Priority { get; }

        /// <summary>Seconds after the boundary from which a job is no longer claimed, or null.</summary>
        public long? ExpiresSeconds { get; }

        /// <summary>The next boundary in Unix seconds.</summary>
        public long NextFireAt { get; }

        /// <summary>False while it is paused.</summary>
        public bool Enabled { get; }

        /// <summary>Claims of a job before it is a dead letter.</summary>
        public int MaxAttempts { get; }

        /// <summary>The reason for which the last tick passed over it, or null.</summary>
        public string? LastError { get; }
    }

    /// <summary>A job that a tick has enqueued.</summary>
    public sealed class ScheduledFire
    {
        internal ScheduledFire(JsonElement row)
        {
            Name = row.GetProperty("name").GetString()!;
            Queue = row.GetProperty("queue").GetString()!;
            FireAt = Instants.Of(row, "fire_at") ?? 0;
            JobId = row.GetProperty("job_id").GetInt64();
        }

        /// <summary>The name of the schedule.</summary>
        public string Name { get; }

        /// <summary>The queue of the job.</summary>
        public string Queue { get; }

        /// <summary>The boundary in Unix seconds.</summary>
        public long FireAt { get; }

        /// <summary>The id of the job.</summary>
        public long JobId { get; }
    }
}
