using System;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>
    /// Wakes waits after commits of any process. One thread waits inside the engine, on a connection for it alone; it
    /// starts with the first wait.
    /// </summary>
    internal sealed class Watcher
    {
        private const string Wait = "SELECT honker_update_watcher_wait(@p0, 86400000)";
        private static readonly TimeSpan Longest = TimeSpan.FromDays(1);
        private readonly Engine engine;
        private readonly object gate = new object();
        private TaskCompletionSource<bool> news = Pending();
        private ISqliteConnection? waiting;
        private object? subscription;
        private bool isStopped;
        private WatcherException? death;

        internal Watcher(Engine engine)
        {
            this.engine = engine;
        }

        /// <summary>
        /// A task that ends with the next commit. Get it first, then read the database, then wait for it: no commit in
        /// between is missed.
        /// </summary>
        /// <exception cref="WatcherException">The watcher has died, as after the file was replaced.</exception>
        internal Task News()
        {
            engine.CheckIsNotClosed();
            lock (gate)
            {
                if (death != null)
                {
                    throw new WatcherException(death.Message, 0, death);
                }
                if (subscription == null && !isStopped)
                {
                    Start();
                }
                return news.Task;
            }
        }

        /// <summary>Wait for news, for a time at most.</summary>
        /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
        /// <exception cref="HonkerClosedException">The database was closed.</exception>
        internal async Task WaitAsync(Task awaited, TimeSpan limit, CancellationToken cancellation)
        {
            using (var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellation, engine.Closing))
            {
                TimeSpan bound = limit < TimeSpan.Zero || limit > Longest ? Longest : limit;
                await Task.WhenAny(awaited, Task.Delay(bound, ends.Token)).ConfigureAwait(false);
                ends.Cancel();
            }
            engine.CheckIsNotClosed();
            cancellation.ThrowIfCancellationRequested();
        }

        /// <summary>End the thread.</summary>
        internal void Stop()
        {
            object? ended;
            lock (gate)
            {
                isStopped = true;
                ended = subscription;
            }
            if (ended == null)
            {
                return;
            }
            using (ISqliteConnection control = Connect())
            {
                control.Scalar("SELECT honker_update_watcher_close(@p0)", new[] { ended });
            }
        }

        private static TaskCompletionSource<bool> Pending()
        {
            // Asynchronous: the thread of the watcher never runs the code of a caller.
            return new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        private void Start()
        {
            // Subscriptions belong to the process, so a connection without a file can wait for them.
            waiting = Connect();
            try
            {
                long interval = (long)engine.Options.UpdatePollInterval.TotalMilliseconds;
                subscription = waiting.Scalar(
                    "SELECT honker_update_watcher_open(@p0, @p1, @p2)",
                    new object?[] { engine.Path, engine.Options.WatcherBackend, interval });
            }
            catch
            {
                waiting.Dispose();
                throw;
            }
            AsyncFlowControl flow = ExecutionContext.SuppressFlow();
            try
            {
                new Thread(Loop) { IsBackground = true, Name = "honker watcher" }.Start();
            }
            finally
            {
                flow.Undo();
            }
        }

        private ISqliteConnection Connect()
        {
            ISqliteConnection made = engine.Driver.Open(":memory:");
            try
            {
                engine.Load(made);
                return made;
            }
            catch
            {
                made.Dispose();
                throw;
            }
        }

        private void Loop()
        {
            object?[] arguments = { subscription };
            try
            {
                while (true)
                {
                    long outcome = (long)waiting!.Scalar(Wait, arguments)!;
                    if (outcome < 0)
                    {
                        End(new WatcherException(
                            $"HONKER_WATCHER: the watcher of {engine.Path} died: the file was deleted or replaced"));
                        return;
                    }
                    if (outcome > 0)
                    {
                        Pulse();
                    }
                }
            }
            catch (HonkerException error)
            {
                End(new WatcherException(
                    $"HONKER_WATCHER: the watcher of {engine.Path} died: {error.Message}", 0, error));
            }
            finally
            {
                waiting!.Dispose();
            }
        }

        private void Pulse()
        {
            TaskCompletionSource<bool> woken;
            lock (gate)
            {
                woken = news;
                news = Pending();
            }
            woken.TrySetResult(true);
        }

        private void End(WatcherException reason)
        {
            lock (gate)
            {
                // After Stop the reason is the end of the subscription, and waits end by the token of the engine.
                death = isStopped ? null : reason;
            }
            Pulse();
        }
    }
}
