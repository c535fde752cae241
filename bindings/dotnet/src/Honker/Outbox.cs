using System;
using System.Diagnostics;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>Options of an outbox.</summary>
    public sealed class OutboxOptions
    {
        /// <summary>Create options.</summary>
        /// <param name="VisibilityTimeoutSeconds">The length of a lease; it is extended during a delivery.</param>
        /// <param name="MaxAttempts">Deliveries before a payload is a dead letter.</param>
        /// <param name="BaseBackoffSeconds">The delay before the second delivery; it doubles each time.</param>
        public OutboxOptions(
            double VisibilityTimeoutSeconds = 300, int MaxAttempts = 3, double BaseBackoffSeconds = 30)
        {
            this.VisibilityTimeoutSeconds = VisibilityTimeoutSeconds;
            this.MaxAttempts = MaxAttempts;
            this.BaseBackoffSeconds = BaseBackoffSeconds;
        }

        /// <summary>The length of a lease in seconds.</summary>
        public double VisibilityTimeoutSeconds { get; set; }

        /// <summary>Deliveries before a payload is a dead letter.</summary>
        public int MaxAttempts { get; set; }

        /// <summary>Seconds before the second delivery; the delay doubles each time, up to an hour.</summary>
        public double BaseBackoffSeconds { get; set; }
    }

    /// <summary>
    /// Delivers payloads to another system, each at least once. A payload that is enqueued with a transaction is
    /// delivered exactly if the transaction commits.
    /// </summary>
    public sealed class Outbox
    {
        private const double LongestBackoffSeconds = 3600;
        private static readonly ThreadLocal<Random> Spread = new ThreadLocal<Random>(() => new Random());
        private readonly Engine engine;
        private readonly Func<JsonElement, CancellationToken, Task> delivery;
        private readonly double baseBackoffSeconds;

        internal Outbox(
            Engine engine, string name, Func<JsonElement, CancellationToken, Task> delivery, OutboxOptions options)
        {
            if (options.BaseBackoffSeconds < 0)
            {
                throw new InvalidArgumentException(
                    $"HONKER_INVALID_ARGUMENT: BaseBackoffSeconds is {options.BaseBackoffSeconds}; it must be >= 0");
            }
            this.engine = engine;
            this.delivery = delivery;
            baseBackoffSeconds = options.BaseBackoffSeconds;
            Name = name;
            Queue = new Queue(engine, $"_outbox:{name}", options.VisibilityTimeoutSeconds, options.MaxAttempts);
        }

        /// <summary>The name.</summary>
        public string Name { get; }

        /// <summary>The queue of the payloads.</summary>
        public Queue Queue { get; }

        /// <summary>Record a payload to deliver.</summary>
        /// <param name="payload">Any value with a JSON form.</param>
        /// <param name="transaction">A transaction to record it with.</param>
        /// <param name="options">Options of its job.</param>
        /// <returns>The id of its job.</returns>
        public long Enqueue(object? payload, HonkerTransaction? transaction = null, EnqueueOptions? options = null)
        {
            return Queue.Enqueue(payload, options, transaction);
        }

        /// <summary>
        /// Deliver payloads one after the other until the token is cancelled, and return. A delivery that the token
        /// ends is given back, and its attempt is not counted.
        /// </summary>
        /// <param name="workerId">1 to 255 bytes.</param>
        /// <param name="cancellationToken">Ends the run.</param>
        /// <exception cref="HonkerClosedException">The database was closed.</exception>
        public async Task RunWorker(string workerId, CancellationToken cancellationToken = default)
        {
            var patience = new Patience($"outbox {Name}");
            Task<Job> Next() => Queue.NextAsync(workerId, null, cancellationToken);
            try
            {
                while (true)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    Job job = await patience.TryAsync(Next, cancellationToken).ConfigureAwait(false);
                    await DeliverAsync(job, patience, cancellationToken).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // The way to end a run.
            }
        }

        private async Task DeliverAsync(Job job, Patience patience, CancellationToken cancellation)
        {
            Exception? failure = null;
            using (var beat = new Timer(_ => Beat(job), null, Beats(), Beats()))
            {
                try
                {
                    await delivery(job.Payload, cancellation).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    failure = error;
                }
            }
            bool isGivenBack = failure is OperationCanceledException && cancellation.IsCancellationRequested;
            // The outcome of a delivery is stored even if the run has been cancelled meanwhile.
            bool isHeld = await patience.TryAsync(() => Settle(job, failure, isGivenBack), CancellationToken.None)
                .ConfigureAwait(false);
            if (!isHeld)
            {
                Trace.TraceWarning("honker: outbox {0}: the lease of job {1} was lost", Name, job.Id);
            }
        }

        private bool Settle(Job job, Exception? failure, bool isGivenBack)
        {
            if (isGivenBack)
            {
                return job.Release();
            }
            if (failure == null)
            {
                return job.Ack();
            }
            return job.Retry(Backoff(job.Attempts), $"{failure.GetType().Name}: {failure.Message}");
        }

        private TimeSpan Beats()
        {
            return TimeSpan.FromSeconds(Math.Min(Queue.VisibilityTimeoutSeconds / 3, 86400));
        }

        private static void Beat(Job job)
        {
            try
            {
                job.Heartbeat();
            }
            catch (HonkerException error)
            {
                // The next beat tries again; a lease that lapses is seen when the job is settled.
                Trace.TraceWarning("honker: the heartbeat of job {0} failed: {1}", job.Id, error.Message);
            }
        }

        private double Backoff(int attempt)
        {
            double longest = Math.Max(LongestBackoffSeconds, baseBackoffSeconds);
            double backoff = Math.Min(baseBackoffSeconds * Math.Pow(2, Math.Min(attempt - 1, 60)), longest);
            // Up to a tenth more spreads deliveries that failed together.
            return backoff * (1 + (Spread.Value!.NextDouble() / 10));
        }
    }
}
