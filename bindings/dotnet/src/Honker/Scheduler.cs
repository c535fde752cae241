using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>
    /// The schedules of a file. Any number of processes may run the scheduler; one leads, by a lock, and the others
    /// stand by. Each boundary fires once.
    /// </summary>
    public sealed class Scheduler
    {
        private const string RegisterSql = "SELECT honker_scheduler_register(@p0, @p1, @p2, @p3, @p4, @p5, @p6)";
        private const string UpdateSql = "SELECT honker_scheduler_update(@p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7)";
        private readonly Engine engine;

        internal Scheduler(Engine engine)
        {
            this.engine = engine;
        }

        /// <summary>Add a schedule, or replace the one of its name.</summary>
        /// <param name="task">The schedule.</param>
        /// <param name="transaction">A transaction to add it with.</param>
        /// <exception cref="InvalidArgumentException">The expression or another value is invalid.</exception>
        public void Add(ScheduledTask task, HonkerTransaction? transaction = null)
        {
            engine.One(
                transaction, RegisterSql, task.Name, task.Queue, task.Expression(),
                Payloads.Encode(task.Payload, engine.Options), task.Priority, task.ExpiresSeconds, task.MaxAttempts);
        }

        /// <summary>Delete a schedule.</summary>
        /// <param name="name">The name.</param>
        /// <returns>True if there was one.</returns>
        public bool Remove(string name)
        {
            return engine.Flag(null, "SELECT honker_scheduler_unregister(@p0)", name);
        }

        /// <summary>Stop a schedule from firing.</summary>
        /// <param name="name">The name.</param>
        /// <returns>True if it was enabled.</returns>
        public bool Pause(string name)
        {
            return engine.Flag(null, "SELECT honker_scheduler_pause(@p0)", name);
        }

        /// <summary>Let a paused schedule fire again.</summary>
        /// <param name="name">The name.</param>
        /// <returns>True if it was paused.</returns>
        public bool Resume(string name)
        {
            return engine.Flag(null, "SELECT honker_scheduler_resume(@p0)", name);
        }

        /// <summary>The schedules by name.</summary>
        public List<ScheduleRow> List()
        {
            JsonElement rows = engine.Json("SELECT honker_scheduler_list()");
            return rows.EnumerateArray().Select(row => new ScheduleRow(row)).ToList();
        }

        /// <summary>Change a schedule.</summary>
        /// <param name="name">The name.</param>
        /// <param name="update">The changes.</param>
        /// <returns>True if it exists and anything was given.</returns>
        public bool Update(string name, ScheduleUpdate update)
        {
            string? payload = update.HasPayload ? Payloads.Encode(update.Payload, engine.Options) : null;
            return engine.Flag(
                null, UpdateSql, name, update.Cron, payload, update.Priority, update.ExpiresSeconds, update.HasExpires,
                update.MaxAttempts, update.MaxAttempts.HasValue);
        }

        /// <summary>The next boundary of the schedules that are not paused.</summary>
        /// <returns>Unix seconds, rounded up; 0 if there is none.</returns>
        public long Soonest()
        {
            object? at = engine.One("SELECT honker_scheduler_soonest()");
            return Instants.RoundedUp(Convert.ToDouble(at, CultureInfo.InvariantCulture));
        }

        /// <summary>Enqueue the jobs of the boundaries that have come.</summary>
        /// <param name="nowUnix">The instant; null is now.</param>
        public List<ScheduledFire> Tick(double? nowUnix = null)
        {
            JsonElement fires = engine.Json("SELECT honker_scheduler_tick(coalesce(@p0, honker_clock()))", nowUnix);
            return fires.EnumerateArray().Select(row => new ScheduledFire(row)).ToList();
        }

        /// <summary>
        /// Fire schedules until the token is cancelled; then release the leadership and return. While another owner
        /// leads, stand by. Errors that may pass, such as a busy database, are reported to <see
        /// cref="System.Diagnostics.Trace"/> and tried again.
        /// </summary>
        /// <param name="owner">The owner of the leader's lock, another one in each process.</param>
        /// <param name="cancellationToken">Ends the run.</param>
        /// <exception cref="HonkerClosedException">The database was closed.</exception>
        public Task RunAsync(string owner, CancellationToken cancellationToken = default)
        {
            return new SchedulerRun(engine, owner).RunAsync(cancellationToken);
        }
    }
}
