using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>
    /// A queue of jobs. A job is claimed by one worker at a time, at least once, and again if its lease lapses before
    /// it is settled.
    /// </summary>
    public sealed class Queue
    {
        private const string EnqueueSql = "SELECT honker_enqueue(@p0, @p1, @p2, @p3, @p4, @p5, @p6)";
        private const string EnqueueManySql =
            "SELECT honker_enqueue_many(@p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7)";
        private static readonly TimeSpan DefaultIdlePoll = TimeSpan.FromSeconds(5);

        // A job that is due and yet not claimed is another worker's, or waits for a limit.
        private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(10);
        private readonly Engine engine;

        internal Queue(Engine engine, string name, double visibilityTimeoutSeconds, int maxAttempts)
        {
            this.engine = engine;
            Name = name;
            VisibilityTimeoutSeconds = visibilityTimeoutSeconds;
            MaxAttempts = maxAttempts;
        }

        /// <summary>The name.</summary>
        public string Name { get; }

        /// <summary>The length of a lease in seconds.</summary>
        public double VisibilityTimeoutSeconds { get; }

        /// <summary>Claims of a job before it is a dead letter.</summary>
        public int MaxAttempts { get; }

        internal Engine Engine => engine;

        /// <summary>Add a job.</summary>
        /// <param name="payload">Any value with a JSON form.</param>
        /// <param name="options">Options of the job.</param>
        /// <param name="transaction">A transaction: the job exists exactly if it commits.</param>
        /// <returns>The id of the job.</returns>
        /// <exception cref="InvalidArgumentException">An option is out of its range.</exception>
        /// <exception cref="UniqueKeyTakenException">The unique key is taken, and OnConflict is "raise".</exception>
        /// <exception cref="PayloadException">The payload has no JSON form.</exception>
        public long Enqueue(object? payload, EnqueueOptions? options = null, HonkerTransaction? transaction = null)
        {
            EnqueueOptions chosen = options ?? new EnqueueOptions();
            string text = Payloads.Encode(payload, engine.Options);
            int attempts = chosen.MaxAttempts ?? MaxAttempts;
            string? json = chosen.ToJson(attempts);
            if (json != null)
            {
                return engine.Number(transaction, "SELECT honker_enqueue(@p0, @p1, @p2)", Name, text, json);
            }
            return engine.Number(
                transaction, EnqueueSql, Name, text, chosen.RunAtUnix, chosen.DelaySeconds, chosen.Priority, attempts,
                chosen.ExpiresSeconds);
        }

        /// <summary>Add a job for each payload, all or none.</summary>
        /// <param name="payloads">Values with a JSON form.</param>
        /// <param name="options">Options of each job.</param>
        /// <param name="transaction">A transaction: the jobs exist exactly if it commits.</param>
        /// <returns>The ids, in order.</returns>
        public List<long> EnqueueMany(
            IEnumerable<object?> payloads, EnqueueOptions? options = null, HonkerTransaction? transaction = null)
        {
            EnqueueOptions chosen = options ?? new EnqueueOptions();
            string list = "[" + string.Join(",", payloads.Select(each => Payloads.Encode(each, engine.Options))) + "]";
            object? ids = engine.One(
                transaction, EnqueueManySql, Name, list, chosen.RunAtUnix, chosen.DelaySeconds, chosen.Priority,
                chosen.MaxAttempts ?? MaxAttempts, chosen.ExpiresSeconds,
                Payloads.Encode(chosen.Flow(), new OpenOptions()));
            return Payloads.Decode((string)ids!).EnumerateArray().Select(id => id.GetInt64()).ToList();
        }

        /// <summary>Claim a job that is due.</summary>
        /// <param name="workerId">1 to 255 bytes.</param>
        /// <returns>The job, or null if none is due.</returns>
        public Job? ClaimOne(string workerId)
        {
            return ClaimBatch(workerId, 1).FirstOrDefault();
        }

        /// <summary>Claim jobs that are due.</summary>
        /// <param name="workerId">1 to 255 bytes.</param>
        /// <param name="n">The largest number, 0 to 10,000.</param>
        /// <returns>The jobs, the highest priority first.</returns>
        public List<Job> ClaimBatch(string workerId, int n)
        {
            JsonElement claimed = engine.Json(
                "SELECT honker_claim_batch(@p0, @p1, @p2, @p3)", Name, workerId, n, VisibilityTimeoutSeconds);
            return claimed.EnumerateArray().Select(row => new Job(this, row)).ToList();
        }

        /// <summary>Claim jobs as they come. Use <c>await foreach</c>; it never ends by itself.</summary>
        /// <param name="workerId">1 to 255 bytes.</param>
        /// <param name="idlePoll">
        /// The longest wait without a commit, as a second line behind the events of the file. Null means 5 s;
        /// <see cref="Timeout.InfiniteTimeSpan"/> disables it.
        /// </param>
        /// <param name="cancellationToken">
        /// Ends a wait at once with OperationCanceledException. A job that was claimed in that moment is still handed
        /// out.
        /// </param>
        /// <exception cref="HonkerClosedException">While it waits: the database was closed.</exception>
        public async IAsyncEnumerable<Job> ClaimAsync(
            string workerId,
            TimeSpan? idlePoll = null,
            [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            while (true)
            {
                yield return await NextAsync(workerId, idlePoll, cancellationToken).ConfigureAwait(false);
            }
        }

        /// <summary>Claim jobs as they come, with the default poll.</summary>
        /// <param name="workerId">1 to 255 bytes.</param>
        /// <param name="cancellationToken">Ends a wait at once.</param>
        public IAsyncEnumerable<Job> ClaimAsync(string workerId, CancellationToken cancellationToken)
        {
            return ClaimAsync(workerId, null, cancellationToken);
        }

        /// <summary>The earliest instant at which a claim could find a job.</summary>
        /// <returns>Unix seconds, rounded up; 0 if no job waits.</returns>
        public long NextClaimAt()
        {
            object? at = engine.One("SELECT honker_queue_next_claim_at(@p0)", Name);
            return Instants.RoundedUp(Convert.ToDouble(at, CultureInfo.InvariantCulture));
        }

        /// <summary>Remove a job that the worker has finished.</summary>
        /// <param name="jobId">The id.</param>
        /// <param name="workerId">The worker that claimed it.</param>
        /// <returns>False if the worker has lost the job.</returns>
        public bool Ack(long jobId, string workerId)
        {
            return engine.Flag(null, "SELECT honker_ack(@p0, @p1)", jobId, workerId);
        }

        /// <summary>Remove jobs that the worker has finished.</summary>
        /// <param name="jobIds">The ids.</param>
        /// <param name="workerId">The worker that claimed them.</param>
        /// <returns>The number of those that the worker still held.</returns>
        public long AckBatch(IEnumerable<long> jobIds, string workerId)
        {
            string ids = JsonSerializer.Serialize(jobIds.ToArray());
            return engine.Number(null, "SELECT honker_ack_batch(@p0, @p1)", ids, workerId);
        }

        /// <summary>Give a job back for another attempt; after the last one it is a dead letter.</summary>
        /// <param name="jobId">The id.</param>
        /// <param name="workerId">The worker that claimed it.</param>
        /// <param name="delaySeconds">Seconds before it is claimed again.</param>
        /// <param name="error">The reason.</param>
        /// <returns>False if the worker has lost the job.</returns>
        public bool Retry(long jobId, string workerId, double delaySeconds = 60, string? error = "")
        {
            return engine.Flag(
                null, "SELECT honker_retry(@p0, @p1, @p2, @p3)", jobId, workerId, delaySeconds, error ?? "");
        }

        /// <summary>Make a job a dead letter.</summary>
        /// <param name="jobId">The id.</param>
        /// <param name="workerId">The worker that claimed it.</param>
        /// <param name="error">The reason.</param>
        /// <returns>False if the worker has lost the job.</returns>
        public bool Fail(long jobId, string workerId, string? error = "")
        {
            return engine.Flag(null, "SELECT honker_fail(@p0, @p1, @p2)", jobId, workerId, error ?? "");
        }

        /// <summary>Extend the lease of a job.</summary>
        /// <param name="jobId">The id.</param>
        /// <param name="workerId">The worker that claimed it.</param>
        /// <param name="extendSeconds">Seconds from now; null means the lease of the queue.</param>
        /// <returns>False if the worker has lost the job.</returns>
        public bool Heartbeat(long jobId, string workerId, double? extendSeconds = null)
        {
            double extend = extendSeconds ?? VisibilityTimeoutSeconds;
            return engine.Flag(null, "SELECT honker_heartbeat(@p0, @p1, @p2)", jobId, workerId, extend);
        }

        /// <summary>Remove a job that has not ended.</summary>
        /// <param name="jobId">The id.</param>
        /// <returns>True if there was one in this queue.</returns>
        public bool Cancel(long jobId)
        {
            return engine.Flag(null, "SELECT honker_cancel(@p0, @p1)", jobId, Name);
        }

        /// <summary>Read a job that waits or is claimed.</summary>
        /// <param name="jobId">The id.</param>
        /// <returns>The job, or null if it has ended or never existed in this queue.</returns>
        public JobRow? GetJob(long jobId)
        {
            var text = (string)engine.One("SELECT honker_get_job(@p0, @p1)", jobId, Name)!;
            return text.Length == 0 ? null : new JobRow(Payloads.Decode(text), engine.Options);
        }

        /// <summary>Make a dead letter wait again, with all its attempts.</summary>
        /// <param name="jobId">The id.</param>
        /// <returns>True if there was one in this queue.</returns>
        public bool Requeue(long jobId)
        {
            return engine.Flag(null, "SELECT honker_requeue(@p0, @p1)", jobId, Name);
        }

        /// <summary>Stop claims in every process until <see cref="Resume"/>.</summary>
        /// <returns>True if the queue was running.</returns>
        public bool Pause()
        {
            return engine.Flag(null, "SELECT honker_queue_pause(@p0)", Name);
        }

        /// <summary>Allow claims again.</summary>
        /// <returns>True if the queue was paused.</returns>
        public bool Resume()
        {
            return engine.Flag(null, "SELECT honker_queue_resume(@p0)", Name);
        }

        /// <summary>Change settings of the queue, which every process obeys.</summary>
        /// <param name="update">The changes. A lower limit stops nothing that runs.</param>
        /// <returns>All settings.</returns>
        /// <exception cref="InvalidArgumentException">A setting is out of its range.</exception>
        public QueueSettings Configure(QueueUpdate update)
        {
            return new QueueSettings(
                engine.Json("SELECT honker_queue_configure(@p0, @p1)", Name, update.ToJson()));
        }

        /// <summary>Read the settings of the queue.</summary>
        /// <returns>The settings.</returns>
        public QueueSettings Settings()
        {
            return new QueueSettings(engine.Json("SELECT honker_queue_settings(@p0)", Name));
        }

        /// <summary>Count the jobs of the queue by state.</summary>
        /// <returns>The counts, all of one moment.</returns>
        public QueueStats Stats()
        {
            return new QueueStats(engine.Json("SELECT honker_queue_stats(@p0)", Name));
        }

        /// <summary>Make jobs that have expired dead letters.</summary>
        /// <returns>Their number.</returns>
        public long SweepExpired()
        {
            return engine.Number(null, "SELECT honker_sweep_expired(@p0)", Name);
        }

        /// <summary>Store the result of a job.</summary>
        /// <param name="id">The id of the job.</param>
        /// <param name="value">Any value with a JSON form.</param>
        /// <param name="ttlSeconds">Seconds until it is deleted; 0 keeps it.</param>
        /// <param name="transaction">A transaction to store it with.</param>
        public void SaveResult(long id, object? value, double ttlSeconds = 0, HonkerTransaction? transaction = null)
        {
            string text = Payloads.Encode(value, engine.Options);
            engine.One(transaction, "SELECT honker_result_save(@p0, @p1, @p2)", id, text, ttlSeconds);
        }

        /// <summary>Read the result of a job.</summary>
        /// <param name="id">The id of the job.</param>
        /// <returns>True and the value, or false and an undefined element.</returns>
        public (bool Found, JsonElement Value) GetResult(long id)
        {
            object? text = engine.One("SELECT honker_result_get(@p0)", id);
            return text == null ? (false, default) : (true, Payloads.Decode((string)text));
        }

        /// <summary>Read the result of a job as a type.</summary>
        /// <typeparam name="T">The type.</typeparam>
        /// <param name="id">The id of the job.</param>
        /// <param name="found">True if there is a result.</param>
        /// <returns>The value, or the default of the type.</returns>
        public T GetResult<T>(long id, out bool found)
        {
            object? text = engine.One("SELECT honker_result_get(@p0)", id);
            found = text != null;
            return text == null ? default! : Payloads.Decode<T>((string)text, engine.Options);
        }

        /// <summary>Wait for the result of a job, without polling.</summary>
        /// <param name="id">The id of the job.</param>
        /// <param name="timeout">The longest wait; null waits without a limit.</param>
        /// <param name="cancellationToken">Ends the wait at once.</param>
        /// <exception cref="TimeoutException">There is no result in time.</exception>
        public async Task<JsonElement> WaitResult(
            long id, TimeSpan? timeout = null, CancellationToken cancellationToken = default)
        {
            DateTime deadline = timeout.HasValue && timeout.Value >= TimeSpan.Zero
                ? DateTime.UtcNow.Add(timeout.Value) : DateTime.MaxValue;
            while (true)
            {
                Task news = engine.Watcher.News();
                (bool isFound, JsonElement value) = GetResult(id);
                if (isFound)
                {
                    return value;
                }
                TimeSpan left = deadline - DateTime.UtcNow;
                if (left <= TimeSpan.Zero)
                {
                    throw new TimeoutException($"job {id} has no result after {timeout}");
                }
                TimeSpan wait = left < DefaultIdlePoll ? left : DefaultIdlePoll;
                await engine.Watcher.WaitAsync(news, wait, cancellationToken).ConfigureAwait(false);
            }
        }

        /// <summary>Delete results whose time is over, of all queues.</summary>
        /// <returns>Their number.</returns>
        public long SweepResults()
        {
            return engine.Number(null, "SELECT honker_result_sweep()");
        }

        /// <summary>Wait for a job and claim it.</summary>
        internal async Task<Job> NextAsync(string workerId, TimeSpan? idlePoll, CancellationToken cancellation)
        {
            while (true)
            {
                cancellation.ThrowIfCancellationRequested();
                // First subscribe, then look, then wait: no commit in between is missed.
                Task news = engine.Watcher.News();
                Job? job = ClaimOne(workerId);
                if (job != null)
                {
                    return job;
                }
                TimeSpan wait = UntilNextClaim(idlePoll ?? DefaultIdlePoll);
                await engine.Watcher.WaitAsync(news, wait, cancellation).ConfigureAwait(false);
            }
        }

        private TimeSpan UntilNextClaim(TimeSpan idlePoll)
        {
            // NULL if no job waits. The engine's clock is the only clock.
            object? seconds = engine.One(
                "SELECT nullif(honker_queue_next_claim_at(@p0), 0) - honker_clock()", Name);
            TimeSpan longest = idlePoll == Timeout.InfiniteTimeSpan ? TimeSpan.FromDays(1) : idlePoll;
            if (seconds == null)
            {
                return longest;
            }
            // Rounded up to the next millisecond: a timer that fires early finds nothing.
            double ms = Math.Ceiling(Convert.ToDouble(seconds, CultureInfo.InvariantCulture) * 1000);
            if (ms >= longest.TotalMilliseconds)
            {
                return longest;
            }
            return ms <= ShortestWait.TotalMilliseconds ? ShortestWait : TimeSpan.FromMilliseconds(ms);
        }
    }
}
