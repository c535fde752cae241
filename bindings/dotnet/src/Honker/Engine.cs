using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;

namespace Honker
{
    /// <summary>
    /// The connection of a database. Every operation of honker is one statement that goes through
    /// <see cref="One(HonkerTransaction?, string, object?[])"/>.
    /// </summary>
    internal sealed class Engine
    {
        private const int BusyTimeoutMs = 5000;

        private static readonly string[] Pragmas =
        {
            "PRAGMA synchronous = NORMAL",
            "PRAGMA foreign_keys = ON",
            "PRAGMA cache_size = -32000",
            "PRAGMA temp_store = MEMORY",
            "PRAGMA wal_autocheckpoint = 10000",
        };

        // Held by one call, or by a transaction from its beginning to its end.
        private readonly SemaphoreSlim turn = new SemaphoreSlim(1, 1);

        // Guards the connection for the time of one statement, so that closing never meets a running one.
        private readonly object statement = new object();
        private readonly CancellationTokenSource closing = new CancellationTokenSource();

        // The transaction that was begun in the flow of control of the caller.
        private readonly AsyncLocal<Begun?> own = new AsyncLocal<Begun?>();
        private readonly ISqliteConnection connection;
        private bool isClosed;

        private Engine(string path, OpenOptions options)
        {
            Path = path;
            Options = options;
            Driver = options.Driver ?? new NativeDriver();
            ExtensionFile = ExtensionLibrary.Find(options.ExtensionPath);
            connection = Driver.Open(path);
            try
            {
                Prepare();
            }
            catch
            {
                connection.Dispose();
                throw;
            }
            Watcher = new Watcher(this);
        }

        internal string Path { get; }

        internal OpenOptions Options { get; }

        internal ISqliteDriver Driver { get; }

        internal string ExtensionFile { get; }

        internal Watcher Watcher { get; }

        internal object Raw => connection.Raw;

        /// <summary>Cancelled by <see cref="Close"/>.</summary>
        internal CancellationToken Closing => closing.Token;

        internal static Engine Open(string path, OpenOptions options)
        {
            if (string.IsNullOrEmpty(path) || path.Contains(":memory:") || path.Contains("mode=memory"))
            {
                throw new InvalidArgumentException(
                    $"HONKER_INVALID_ARGUMENT: path is '{path}'; a database of honker is a file");
            }
            bool isUri = path.StartsWith("file:", StringComparison.Ordinal);
            return new Engine(isUri ? path : System.IO.Path.GetFullPath(path), options);
        }

        /// <summary>Load the extension into a new connection.</summary>
        internal void Load(ISqliteConnection made)
        {
            try
            {
                made.LoadExtension(ExtensionFile);
                ExtensionLibrary.Remember(ExtensionFile);
            }
            catch (DatabaseException error) when (error.Code == "HONKER_SQLITE")
            {
                throw new ExtensionException($"{ExtensionFile} did not load: {error.Message}", error);
            }
        }

        /// <summary>Run a statement and return the first column of its first row.</summary>
        internal object? One(HonkerTransaction? transaction, string sql, params object?[] arguments)
        {
            return Run(transaction, made => made.Scalar(sql, SqlValues.Of(arguments)));
        }

        internal object? One(string sql, params object?[] arguments)
        {
            return One(null, sql, arguments);
        }

        internal long Number(HonkerTransaction? transaction, string sql, params object?[] arguments)
        {
            return Convert.ToInt64(One(transaction, sql, arguments), CultureInfo.InvariantCulture);
        }

        internal bool Flag(HonkerTransaction? transaction, string sql, params object?[] arguments)
        {
            return Number(transaction, sql, arguments) != 0;
        }

        /// <summary>Run a statement whose result is JSON text.</summary>
        internal JsonElement Json(string sql, params object?[] arguments)
        {
            using (JsonDocument document = JsonDocument.Parse((string)One(sql, arguments)!))
            {
                return document.RootElement.Clone();
            }
        }

        /// <summary>
        /// Use the connection: that of the transaction, or as an operation by itself when its turn comes.
        /// </summary>
        internal T Run<T>(HonkerTransaction? transaction, Func<ISqliteConnection, T> action)
        {
            if (transaction != null)
            {
                transaction.CheckIsOf(this);
                return transaction.Engine.Locked(() =>
                {
                    transaction.CheckIsOpen();
                    return action(transaction.Engine.connection);
                });
            }
            TakeTurn();
            try
            {
                return Locked(() => action(connection));
            }
            finally
            {
                turn.Release();
            }
        }

        internal HonkerTransaction Begin()
        {
            TakeTurn();
            var begun = new Begun();
            own.Value = begun;
            return BeginInTurn(begun);
        }

        /// <summary>Like <see cref="Begin"/>, without blocking while another flow has a transaction.</summary>
        internal Task<HonkerTransaction> BeginAsync(CancellationToken cancellation)
        {
            CheckIsNotClosed();
            CheckIsNotNested();
            // Set here and not in an asynchronous method, whose changes of the flow's values end with it.
            var begun = new Begun();
            own.Value = begun;
            return BeginLaterAsync(begun, cancellation);
        }

        /// <summary>End the transaction that has the turn.</summary>
        /// <returns>False if SQLite or a statement had ended it already.</returns>
        internal bool End(string sql)
        {
            bool wasOpen = Locked(() =>
            {
                bool isOpen = connection.IsInTransaction;
                if (isOpen)
                {
                    connection.Execute(sql, Array.Empty<object?>());
                }
                return isOpen;
            });
            turn.Release();
            return wasOpen;
        }

        internal bool IsInTransaction()
        {
            return connection.IsInTransaction;
        }

        internal void CheckIsNotClosed()
        {
            if (Volatile.Read(ref isClosed))
            {
                throw new HonkerClosedException($"the database {Path} is closed");
            }
        }

        /// <summary>
        /// End waits, roll an open transaction back, and close the connection. Closing twice is fine.
        /// </summary>
        internal void Close()
        {
            lock (statement)
            {
                if (isClosed)
                {
                    return;
                }
                Volatile.Write(ref isClosed, true);
                connection.Dispose();
            }
            closing.Cancel();
            Watcher.Stop();
        }

        private T Locked<T>(Func<T> action)
        {
            lock (statement)
            {
                CheckIsNotClosed();
                return action();
            }
        }

        private HonkerTransaction BeginInTurn(Begun begun)
        {
            try
            {
                Locked(() => connection.Execute("BEGIN IMMEDIATE", Array.Empty<object?>()));
            }
            catch
            {
                turn.Release();
                throw;
            }
            begun.Transaction = new HonkerTransaction(this);
            return begun.Transaction;
        }

        private async Task<HonkerTransaction> BeginLaterAsync(Begun begun, CancellationToken cancellation)
        {
            using (var ends = CancellationTokenSource.CreateLinkedTokenSource(cancellation, Closing))
            {
                try
                {
                    CheckHasTurn(await turn.WaitAsync(BusyTimeoutMs, ends.Token).ConfigureAwait(false));
                }
                catch (OperationCanceledException)
                {
                    CheckIsNotClosed();
                    throw;
                }
            }
            return BeginInTurn(begun);
        }

        private void TakeTurn()
        {
            CheckIsNotClosed();
            CheckIsNotNested();
            try
            {
                CheckHasTurn(turn.Wait(BusyTimeoutMs, Closing));
            }
            catch (OperationCanceledException)
            {
                CheckIsNotClosed();
                throw;
            }
        }

        private void CheckIsNotNested()
        {
            if (own.Value?.Transaction?.IsOpen == true)
            {
                throw new NestedTransactionException(
                    "this flow of control has an open transaction: pass it as the argument `transaction`, or end it");
            }
        }

        private static void CheckHasTurn(bool hasTurn)
        {
            if (!hasTurn)
            {
                throw new DatabaseBusyException(
                    $"HONKER_BUSY: a transaction of this handle has been open for more than {BusyTimeoutMs} ms; end it "
                    + "with Commit or Dispose, and pass it as `transaction` to the calls that belong to it");
            }
        }

        private void Prepare()
        {
            object?[] none = Array.Empty<object?>();
            connection.Scalar($"PRAGMA busy_timeout = {BusyTimeoutMs}", none);
            Load(connection);
            SetWal(none);
            foreach (string pragma in Pragmas)
            {
                connection.Scalar(pragma, none);
            }
            connection.Scalar("SELECT honker_bootstrap()", none);
        }

        private void SetWal(object?[] none)
        {
            // SQLite does not apply the busy timeout when it converts a file to WAL.
            DateTime deadline = DateTime.UtcNow.AddMilliseconds(BusyTimeoutMs);
            while (true)
            {
                try
                {
                    connection.Scalar("PRAGMA journal_mode = WAL", none);
                    return;
                }
                catch (DatabaseBusyException) when (DateTime.UtcNow < deadline)
                {
                    Thread.Sleep(5);
                }
            }
        }

        /// <summary>What a flow of control has begun. Null until the transaction has its turn.</summary>
        private sealed class Begun
        {
            internal HonkerTransaction? Transaction { get; set; }
        }
    }
}
