using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>
    /// A SQLite file with queues, streams, notifications, schedules, locks, rate limits and results. Threads may share
    /// it; their calls run one after the other. Dispose it to end its waits and close its connection.
    /// </summary>
    public sealed class Database : IDisposable
    {
        private readonly Engine engine;
        private readonly ConcurrentDictionary<(string, double, int), Queue> queues =
            new ConcurrentDictionary<(string, double, int), Queue>();

        private Database(Engine engine)
        {
            this.engine = engine;
            Scheduler = new Scheduler(engine);
        }

        /// <summary>The file: an absolute path, or the <c>file:</c> URI as it was given.</summary>
        public string Path => engine.Path;

        /// <summary>A connection string of Microsoft.Data.Sqlite for the file.</summary>
        public string ConnectionString => $"Data Source={engine.Path}";

        /// <summary>The options it was opened with.</summary>
        public OpenOptions Options => engine.Options;

        /// <summary>
        /// The connection of the driver: a <see cref="NativeConnection"/>, or a SqliteConnection with the driver for
        /// Microsoft.Data.Sqlite. Do not use it while another thread uses the database.
        /// </summary>
        public dynamic RawConnection => engine.Raw;

        /// <summary>The schedules of the file.</summary>
        public Scheduler Scheduler { get; }

        /// <summary>
        /// Open a file, which is created if it does not exist, and create the tables of honker in it.
        /// </summary>
        /// <param name="path">A path or a <c>file:</c> URI.</param>
        /// <param name="options">Options; null means the defaults.</param>
        /// <exception cref="ExtensionException">The extension was not found or does not load.</exception>
        /// <exception cref="DatabaseException">The file cannot be opened.</exception>
        public static Database Open(string path, OpenOptions? options = null)
        {
            return new Database(Engine.Open(path, options ?? new OpenOptions()));
        }

        /// <summary>The queue of a name. The same name and options give the same object.</summary>
        /// <param name="name">1 to 255 bytes.</param>
        /// <param name="options">Options; null means the defaults.</param>
        public Queue Queue(string name, QueueOptions? options = null)
        {
            QueueOptions chosen = options ?? new QueueOptions();
            return queues.GetOrAdd(
                (name, chosen.VisibilityTimeoutSeconds, chosen.MaxAttempts),
                key => new Queue(engine, key.Item1, key.Item2, key.Item3));
        }

        /// <summary>The stream of a topic.</summary>
        /// <param name="name">1 to 255 bytes.</param>
        public Stream Stream(string name)
        {
            return new Stream(engine, name);
        }

        /// <summary>
        /// Listen to a channel from now on. Use <c>await foreach</c>. It begins when this method returns, and needs no
        /// polling.
        /// </summary>
        /// <param name="channel">1 to 255 bytes.</param>
        /// <param name="cancellationToken">Ends the wait at once with OperationCanceledException.</param>
        /// <exception cref="HonkerClosedException">While it waits: the database was closed.</exception>
        public IAsyncEnumerable<Notification> Listen(string channel, CancellationToken cancellationToken = default)
        {
            engine.Watcher.News();
            long last = engine.Number(null, "SELECT honker_notification_last_id(@p0)", channel);
            return Notification.ReadAsync(engine, channel, last, cancellationToken);
        }

        /// <summary>An outbox, which delivers payloads to another system, each at least once.</summary>
        /// <param name="name">Its payloads are jobs of the queue <c>_outbox:NAME</c>.</param>
        /// <param name="delivery">Called with each payload; an exception is a failed delivery.</param>
        /// <param name="options">Options; null means the defaults.</param>
        public Outbox Outbox(
            string name, Func<JsonElement, CancellationToken, Task> delivery, OutboxOptions? options = null)
        {
            return new Outbox(engine, name, delivery, options ?? new OutboxOptions());
        }

        /// <summary>An outbox whose delivery takes no token.</summary>
        /// <param name="name">As above.</param>
        /// <param name="delivery">As above.</param>
        /// <param name="options">As above.</param>
        public Outbox Outbox(string name, Func<JsonElement, Task> delivery, OutboxOptions? options = null)
        {
            return Outbox(name, (payload, _) => delivery(payload), options);
        }

        /// <summary>An outbox whose delivery is synchronous.</summary>
        /// <param name="name">As above.</param>
        /// <param name="delivery">As above.</param>
        /// <param name="options">As above.</param>
        public Outbox Outbox(string name, Action<JsonElement> delivery, OutboxOptions? options = null)
        {
            Task Deliver(JsonElement payload, CancellationToken cancellation)
            {
                delivery(payload);
                return Task.CompletedTask;
            }

            return Outbox(name, Deliver, options);
        }

        /// <summary>Begin a transaction (BEGIN IMMEDIATE). Dispose it; without a commit it is rolled back.</summary>
        /// <exception cref="NestedTransactionException">This flow of control has one open.</exception>
        /// <exception cref="DatabaseBusyException">The write lock was not free within 5 s.</exception>
        public HonkerTransaction BeginTransaction()
        {
            return engine.Begin();
        }

        /// <summary>
        /// Like <see cref="BeginTransaction"/>, without blocking a thread while another flow has a transaction. Use it
        /// where transactions are open during an <c>await</c>.
        /// </summary>
        /// <param name="cancellationToken">Ends the wait at once.</param>
        public Task<HonkerTransaction> BeginTransactionAsync(CancellationToken cancellationToken = default)
        {
            return engine.BeginAsync(cancellationToken);
        }

        /// <summary>Run a statement and return its rows.</summary>
        /// <param name="sql">SQL with parameters @p0, @p1 and so on.</param>
        /// <param name="args">Their values.</param>
        /// <returns>A dictionary for each row, by column: null, long, double, string or byte[].</returns>
        public List<Dictionary<string, object?>> Query(string sql, params object?[] args)
        {
            return engine.Run(null, made => made.Query(sql, SqlValues.Of(args)));
        }

        /// <summary>Run a statement without rows.</summary>
        /// <param name="sql">SQL with parameters @p0, @p1 and so on.</param>
        /// <param name="args">Their values.</param>
        /// <returns>The number of rows changed.</returns>
        public int Execute(string sql, params object?[] args)
        {
            return engine.Run(null, made => made.Execute(sql, SqlValues.Of(args)));
        }

        /// <summary>Send a notification to the listeners of a channel.</summary>
        /// <param name="channel">1 to 255 bytes.</param>
        /// <param name="payload">Any value with a JSON form.</param>
        /// <param name="transaction">A transaction to send it with.</param>
        /// <returns>The id of the notification.</returns>
        public long Notify(string channel, object? payload, HonkerTransaction? transaction = null)
        {
            string text = Payloads.Encode(payload, engine.Options);
            return engine.Number(transaction, "SELECT notify(@p0, @p1)", channel, text);
        }

        /// <summary>Delete old notifications. Without a limit nothing is deleted.</summary>
        /// <param name="olderThanSeconds">Delete those that are older.</param>
        /// <param name="maxKeep">Keep this number of the newest.</param>
        /// <returns>The number deleted.</returns>
        public long PruneNotifications(int? olderThanSeconds = null, int? maxKeep = null)
        {
            return engine.Number(null, "SELECT honker_notification_prune(@p0, @p1)", olderThanSeconds, maxKeep);
        }

        /// <summary>Take one of the calls that a rate limit allows in a window.</summary>
        /// <param name="name">1 to 255 bytes.</param>
        /// <param name="limit">Calls in a window, 1 to 1,000,000.</param>
        /// <param name="perSeconds">The length of the window.</param>
        /// <returns>True if the call is allowed.</returns>
        public bool TryRateLimit(string name, long limit, double perSeconds)
        {
            return engine.Flag(null, "SELECT honker_rate_limit_try(@p0, @p1, @p2)", name, limit, perSeconds);
        }

        /// <summary>Delete windows of rate limits that began long ago.</summary>
        /// <param name="olderThanSeconds">The age of a window that is deleted.</param>
        /// <returns>The number deleted.</returns>
        public long SweepRateLimits(double olderThanSeconds = 3600)
        {
            return engine.Number(null, "SELECT honker_rate_limit_sweep(@p0)", olderThanSeconds);
        }

        /// <summary>Take a lock if no other owner holds it.</summary>
        /// <param name="name">1 to 255 bytes.</param>
        /// <param name="owner">1 to 255 bytes. The same owner takes it again, and extends it.</param>
        /// <param name="ttl">Seconds until it lapses.</param>
        /// <returns>The lock, or null if another owner holds it.</returns>
        public LockHandle? TryLock(string name, string owner, double ttl = 60)
        {
            bool isTaken = engine.Flag(null, "SELECT honker_lock_acquire(@p0, @p1, @p2)", name, owner, ttl);
            return isTaken ? new LockHandle(engine, name, owner, ttl) : null;
        }

        /// <summary>Take a lock.</summary>
        /// <param name="name">1 to 255 bytes.</param>
        /// <param name="ttl">Seconds until it lapses.</param>
        /// <param name="owner">1 to 255 bytes; null is a random owner.</param>
        /// <exception cref="LockHeldException">Another owner holds it.</exception>
        public LockHandle Lock(string name, double ttl = 60, string? owner = null)
        {
            return TryLock(name, owner ?? Guid.NewGuid().ToString("N"), ttl) ?? throw new LockHeldException(name);
        }

        /// <summary>True if the connection has an SQL function of that name.</summary>
        /// <param name="name">The name of the function.</param>
        public bool FunctionExists(string name)
        {
            return engine.Flag(null, "SELECT count(*) FROM pragma_function_list WHERE name = @p0", name);
        }

        /// <summary>
        /// Close. Waits end with <see cref="HonkerClosedException"/>, an open transaction is rolled back, and later
        /// calls fail. Disposing twice is fine.
        /// </summary>
        public void Dispose()
        {
            engine.Close();
        }
    }
}
