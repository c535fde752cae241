using System;
using System.Collections.Generic;

namespace Honker
{
    /// <summary>
    /// An open transaction with the write lock. Disposing it without <see cref="Commit"/> rolls it back. Until it ends,
    /// other calls on the handle wait, up to 5 s; a call in its own flow of control without it is an error at once.
    /// </summary>
    public sealed class HonkerTransaction : IDisposable
    {
        private readonly object gate = new object();

        internal HonkerTransaction(Engine engine)
        {
            Engine = engine;
            IsOpen = true;
        }

        internal Engine Engine { get; }

        internal bool IsOpen { get; private set; }

        /// <summary>Run a statement of the application.</summary>
        /// <param name="sql">SQL with parameters @p0, @p1 and so on.</param>
        /// <param name="args">Their values.</param>
        /// <returns>The number of rows changed.</returns>
        /// <exception cref="DatabaseException">The statement failed; the transaction is still open.</exception>
        /// <exception cref="HonkerClosedException">The transaction has ended.</exception>
        public int Execute(string sql, params object?[] args)
        {
            return Engine.Run(this, made => made.Execute(sql, SqlValues.Of(args)));
        }

        /// <summary>Run a statement and return its rows.</summary>
        /// <param name="sql">SQL with parameters @p0, @p1 and so on.</param>
        /// <param name="args">Their values.</param>
        /// <returns>A dictionary for each row, by column: null, long, double, string or byte[].</returns>
        /// <exception cref="DatabaseException">The statement failed; the transaction is still open.</exception>
        public List<Dictionary<string, object?>> Query(string sql, params object?[] args)
        {
            return Engine.Run(this, made => made.Query(sql, SqlValues.Of(args)));
        }

        /// <summary>Send a notification that listeners get if the transaction commits.</summary>
        /// <param name="channel">The channel, 1 to 255 bytes.</param>
        /// <param name="payload">Any value with a JSON form.</param>
        /// <returns>The id of the notification.</returns>
        public long Notify(string channel, object? payload)
        {
            return Engine.Number(this, "SELECT notify(@p0, @p1)", channel, Payloads.Encode(payload, Engine.Options));
        }

        /// <summary>Commit. The transaction has then ended.</summary>
        /// <exception cref="DatabaseException">The commit failed; the transaction is still open.</exception>
        /// <exception cref="HonkerClosedException">The transaction has ended before.</exception>
        public void Commit()
        {
            if (!End("COMMIT"))
            {
                throw new HonkerClosedException("the transaction had been rolled back or ended by a statement");
            }
        }

        /// <summary>Roll back. The transaction has then ended.</summary>
        /// <exception cref="HonkerClosedException">The transaction has ended before.</exception>
        public void Rollback()
        {
            End("ROLLBACK");
        }

        /// <summary>Roll back, unless the transaction has ended.</summary>
        public void Dispose()
        {
            lock (gate)
            {
                if (!IsOpen)
                {
                    return;
                }
            }
            try
            {
                End("ROLLBACK");
            }
            catch (HonkerClosedException)
            {
                // The database was closed, which rolled it back.
            }
        }

        internal void CheckIsOpen()
        {
            if (!IsOpen)
            {
                throw new HonkerClosedException("the transaction has ended");
            }
            if (!Engine.IsInTransaction())
            {
                throw new HonkerClosedException("SQLite or a statement has ended the transaction");
            }
        }

        internal void CheckIsOf(Engine other)
        {
            if (other.Path != Engine.Path)
            {
                throw new InvalidArgumentException(
                    $"HONKER_INVALID_ARGUMENT: transaction belongs to {Engine.Path}, not to {other.Path}");
            }
        }

        private bool End(string sql)
        {
            lock (gate)
            {
                if (!IsOpen)
                {
                    throw new HonkerClosedException("the transaction has ended");
                }
                bool wasOpen = Engine.End(sql);
                IsOpen = false;
                return wasOpen;
            }
        }
    }
}
