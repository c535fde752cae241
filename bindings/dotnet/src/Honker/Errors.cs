using System;
using System.Collections.Generic;
using System.Text.RegularExpressions;

namespace Honker
{
    /// <summary>The base class of every error of honker.</summary>
    public class HonkerException : Exception
    {
        /// <summary>Create an error.</summary>
        /// <param name="code">The stable code, such as <c>HONKER_BUSY</c>.</param>
        /// <param name="message">The message.</param>
        /// <param name="cause">The error that caused this one.</param>
        public HonkerException(string code, string message, Exception? cause = null)
            : base(message, cause)
        {
            Code = code;
        }

        /// <summary>The stable code, such as <c>HONKER_BUSY</c>.</summary>
        public string Code { get; }

        /// <summary>Create the typed error of a failed statement. For adapters of SQLite drivers.</summary>
        /// <param name="message">SQLite's message. A code of honker inside it decides the type.</param>
        /// <param name="sqliteCode">SQLite's result code, extended or not.</param>
        /// <param name="cause">The error of the driver.</param>
        public static DatabaseException FromSqlite(string message, int sqliteCode, Exception? cause = null)
        {
            return DatabaseException.Create(message, sqliteCode, cause);
        }
    }

    /// <summary>The handle, transaction, iterator or lock is closed. Code <c>HONKER_CLOSED</c>.</summary>
    public sealed class HonkerClosedException : HonkerException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        public HonkerClosedException(string message)
            : base("HONKER_CLOSED", message)
        {
        }
    }

    /// <summary>A call without the transaction was made inside it. Code <c>HONKER_NESTED_TRANSACTION</c>.</summary>
    public sealed class NestedTransactionException : HonkerException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        public NestedTransactionException(string message)
            : base("HONKER_NESTED_TRANSACTION", message)
        {
        }
    }

    /// <summary>Another owner holds the lock. Code <c>HONKER_LOCK_HELD</c>.</summary>
    public sealed class LockHeldException : HonkerException
    {
        /// <summary>Create the error.</summary>
        /// <param name="name">The name of the lock.</param>
        public LockHeldException(string name)
            : base("HONKER_LOCK_HELD", $"the lock '{name}' is held by another owner")
        {
            Name = name;
        }

        /// <summary>The name of the lock.</summary>
        public string Name { get; }
    }

    /// <summary>The extension's library was not found or not loaded. Code <c>HONKER_EXTENSION</c>.</summary>
    public sealed class ExtensionException : HonkerException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="cause">The error that caused this one.</param>
        public ExtensionException(string message, Exception? cause = null)
            : base("HONKER_EXTENSION", message, cause)
        {
        }
    }

    /// <summary>
    /// A payload has no JSON form, or stored text is no JSON of the type. Code <c>HONKER_PAYLOAD</c>.
    /// </summary>
    public sealed class PayloadException : HonkerException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="cause">The error of the serializer.</param>
        public PayloadException(string message, Exception cause)
            : base("HONKER_PAYLOAD", message, cause)
        {
        }
    }

    /// <summary>A statement failed. <see cref="HonkerException.Code"/> names the kind of the failure.</summary>
    public class DatabaseException : HonkerException
    {
        private static readonly Regex Coded = new Regex("HONKER_[A-Z_]+(?=: )", RegexOptions.CultureInvariant);

        private static readonly Dictionary<int, string> Codes = new Dictionary<int, string>
        {
            [5] = "HONKER_BUSY",
            [6] = "HONKER_BUSY",
            [8] = "HONKER_READ_ONLY",
            [9] = "HONKER_INTERRUPTED",
            [10] = "HONKER_IO",
            [11] = "HONKER_CORRUPT",
            [13] = "HONKER_FULL",
            [14] = "HONKER_CANTOPEN",
            [19] = "HONKER_CONSTRAINT",
            [26] = "HONKER_CORRUPT",
        };

        /// <summary>Create the error.</summary>
        /// <param name="code">The stable code.</param>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code, 0 if SQLite did not fail.</param>
        /// <param name="cause">The error of the driver.</param>
        public DatabaseException(string code, string message, int sqliteCode, Exception? cause = null)
            : base(code, message, cause)
        {
            SqliteCode = sqliteCode;
        }

        /// <summary>SQLite's result code, 0 if SQLite did not fail.</summary>
        public int SqliteCode { get; }

        /// <summary>True if the same call may succeed later without a correction.</summary>
        public bool IsTransient =>
            Code == "HONKER_BUSY" || Code == "HONKER_FULL" || Code == "HONKER_IO" || Code == "HONKER_INTERRUPTED";

        internal static DatabaseException Create(string message, int sqliteCode, Exception? cause)
        {
            Match coded = Coded.Match(message);
            if (!coded.Success && Codes.TryGetValue(sqliteCode & 0xff, out string? known))
            {
                return Typed(known, $"{known}: {message}", sqliteCode, cause);
            }
            if (!coded.Success)
            {
                return Typed("HONKER_SQLITE", message, sqliteCode, cause);
            }
            // Drivers write text around the message: SQLite Error 5: 'HONKER_BUSY: database is locked'.
            string own = message.Substring(coded.Index);
            if (coded.Index > 0 && own.EndsWith("'.", StringComparison.Ordinal))
            {
                own = own.Substring(0, own.Length - 2);
            }
            return Typed(coded.Value, own, sqliteCode, cause);
        }

        private static DatabaseException Typed(string code, string message, int sqliteCode, Exception? cause)
        {
            switch (code)
            {
                case "HONKER_INVALID_ARGUMENT":
                    return new InvalidArgumentException(message, sqliteCode, cause);
                case "HONKER_BUSY":
                    return new DatabaseBusyException(message, sqliteCode, cause);
                case "HONKER_CONSTRAINT":
                    return new ConstraintException(message, sqliteCode, cause);
                case "HONKER_UNIQUE_KEY_TAKEN":
                    return new UniqueKeyTakenException(message, sqliteCode, cause);
                case "HONKER_NOT_BOOTSTRAPPED":
                    return new NotBootstrappedException(message, sqliteCode, cause);
                case "HONKER_WATCHER":
                    return new WatcherException(message, sqliteCode, cause);
                default:
                    return new DatabaseException(code, message, sqliteCode, cause);
            }
        }
    }

    /// <summary>An argument is invalid; the message names it. Code <c>HONKER_INVALID_ARGUMENT</c>.</summary>
    public sealed class InvalidArgumentException : DatabaseException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code, 0 if SQLite did not fail.</param>
        /// <param name="cause">The error of the driver.</param>
        public InvalidArgumentException(string message, int sqliteCode = 0, Exception? cause = null)
            : base("HONKER_INVALID_ARGUMENT", message, sqliteCode, cause)
        {
        }
    }

    /// <summary>A lock was held for longer than the busy timeout. Code <c>HONKER_BUSY</c>.</summary>
    public sealed class DatabaseBusyException : DatabaseException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code, 0 if SQLite did not fail.</param>
        /// <param name="cause">The error of the driver.</param>
        public DatabaseBusyException(string message, int sqliteCode = 0, Exception? cause = null)
            : base("HONKER_BUSY", message, sqliteCode, cause)
        {
        }
    }

    /// <summary>A constraint or trigger refused the change. Code <c>HONKER_CONSTRAINT</c>.</summary>
    public sealed class ConstraintException : DatabaseException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code.</param>
        /// <param name="cause">The error of the driver.</param>
        public ConstraintException(string message, int sqliteCode, Exception? cause = null)
            : base("HONKER_CONSTRAINT", message, sqliteCode, cause)
        {
        }
    }

    /// <summary>Another job has the unique key. Code <c>HONKER_UNIQUE_KEY_TAKEN</c>.</summary>
    public sealed class UniqueKeyTakenException : DatabaseException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code.</param>
        /// <param name="cause">The error of the driver.</param>
        public UniqueKeyTakenException(string message, int sqliteCode, Exception? cause = null)
            : base("HONKER_UNIQUE_KEY_TAKEN", message, sqliteCode, cause)
        {
        }
    }

    /// <summary>The file lacks tables of honker. Code <c>HONKER_NOT_BOOTSTRAPPED</c>.</summary>
    public sealed class NotBootstrappedException : DatabaseException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code.</param>
        /// <param name="cause">The error of the driver.</param>
        public NotBootstrappedException(string message, int sqliteCode, Exception? cause = null)
            : base("HONKER_NOT_BOOTSTRAPPED", message, sqliteCode, cause)
        {
        }
    }

    /// <summary>Commits cannot be watched, as after the file was replaced. Code <c>HONKER_WATCHER</c>.</summary>
    public sealed class WatcherException : DatabaseException
    {
        /// <summary>Create the error.</summary>
        /// <param name="message">The message.</param>
        /// <param name="sqliteCode">SQLite's result code, 0 if SQLite did not fail.</param>
        /// <param name="cause">The error of the driver.</param>
        public WatcherException(string message, int sqliteCode = 0, Exception? cause = null)
            : base("HONKER_WATCHER", message, sqliteCode, cause)
        {
        }
    }
}
