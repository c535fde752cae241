using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>A run of the scheduler: stands by, leads, and stands by again after a loss.</summary>
    internal sealed class SchedulerRun
    {
        private const string LockName = "honker-scheduler";
        private const double LockTtl = 60;
        private static readonly TimeSpan RenewEvery = TimeSpan.FromSeconds(20);

        // Looks without a commit, because clocks may be changed.
        private static readonly TimeSpan Poll = TimeSpan.FromSeconds(5);
        private readonly Engine engine;
        private readonly string owner;
        private readonly Patience patience = new Patience("scheduler");

        internal SchedulerRun(Engine engine, string owner)
        {
            this.engine = engine;
            this.owner = owner;
        }

        internal async Task RunAsync(CancellationToken cancellation)
        {
            try
            {
                while (true)
                {
                    cancellation.ThrowIfCancellationRequested();
                    Task news = engine.Watcher.News();
                    bool leads = await patience.TryAsync(Acquire, cancellation).ConfigureAwait(false);
                    if (leads)
                    {
                        await LeadAsync(cancellation).ConfigureAwait(false);
                        continue;
                    }
                    await engine.Watcher.WaitAsync(news, Poll, cancellation).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
            {
                // The way to end a run.
            }
        }

        private bool Acquire()
        {
            return engine.Flag(null, "SELECT honker_lock_acquire(@p0, @p1, @p2)", LockName, owner, LockTtl);
        }

        /// <summary>Fire until the leadership is lost or the token is cancelled.</summary>
        private async Task LeadAsync(CancellationToken cancellation)
        {
            var sinceRenewal = Stopwatch.StartNew();
            try
            {
                while (true)
                {
                    Task news = engine.Watcher.News();
                    double untilBoundary = await patience.TryAsync(UntilBoundary, cancellation).ConfigureAwait(false);
                    if (untilBoundary <= 0 || sinceRenewal.Elapsed >= RenewEvery)
                    {
                        if (!await patience.TryAsync(Fire, cancellation).ConfigureAwait(false))
                        {
                            Trace.TraceWarning("honker: another scheduler has taken the lead from {0}", owner);
                            return;
                        }
                        sinceRenewal.Restart();
                        continue;
                    }
                    TimeSpan wait = Shortest(RenewEvery - sinceRenewal.Elapsed, untilBoundary);
                    await engine.Watcher.WaitAsync(news, wait, cancellation).ConfigureAwait(false);
                }
            }
            finally
            {
                Release();
            }
        }

        private static TimeSpan Shortest(TimeSpan untilRenewal, double untilBoundary)
        {
            double ms = Math.Min(Poll.TotalMilliseconds, Math.Ceiling(untilBoundary * 1000));
            ms = Math.Min(ms, Math.Max(1, untilRenewal.TotalMilliseconds));
            return TimeSpan.FromMilliseconds(ms);
        }

        private double UntilBoundary()
        {
            object? seconds = engine.One("SELECT nullif(honker_scheduler_soonest(), 0) - honker_clock()");
            return seconds == null ? double.MaxValue : Convert.ToDouble(seconds, CultureInfo.InvariantCulture);
        }

        /// <summary>
        /// Renew the lock and tick. Both commit together, so a scheduler that has lost the lead enqueues nothing.
        /// </summary>
        /// <returns>False if the lead is lost.</returns>
        private bool Fire()
        {
            using (HonkerTransaction transaction = engine.Begin())
            {
                const string renew = "SELECT honker_lock_renew(@p0, @p1, @p2)";
                if (!engine.Flag(transaction, renew, LockName, owner, LockTtl))
                {
                    return false;
                }
                engine.One(transaction, "SELECT honker_scheduler_tick(honker_clock())");
                transaction.Commit();
                return true;
            }
        }

        private void Release()
        {
            try
            {
                engine.One("SELECT honker_lock_release(@p0, @p1)", LockName, owner);
            }
            catch (HonkerException error)
            {
                // The lock lapses by itself; the reason of the end is more important than this one.
                Trace.TraceWarning("honker: the lock of the scheduler was not released: {0}", error.Message);
            }
        }
    }

    /// <summary>Tries a step again after an error that may pass.</summary>
    internal sealed class Patience
    {
        private const double FirstMs = 50;
        private const double LongestMs = 5000;
        private readonly string actor;

        internal Patience(string actor)
        {
            this.actor = actor;
        }

        internal Task<T> TryAsync<T>(Func<T> step, CancellationToken cancellation)
        {
            return TryAsync(() => Task.FromResult(step()), cancellation);
        }

        internal async Task<T> TryAsync<T>(Func<Task<T>> step, CancellationToken cancellation)
        {
            for (double ms = FirstMs; ; ms = Math.Min(ms * 2, LongestMs))
            {
                try
                {
                    return await step().ConfigureAwait(false);
                }
                catch (DatabaseException error) when (error.IsTransient)
                {
                    Trace.TraceWarning("honker: the {0} tries again in {1} ms: {2}", actor, ms, error.Message);
                }
                await Task.Delay(TimeSpan.FromMilliseconds(ms), cancellation).ConfigureAwait(false);
            }
        }
    }
}
