"""The errors of honker, in one class tree.

Errors of the engine begin with a stable code (``HONKER_BUSY: database is locked``). [`from_sqlite`][] maps such a
message to its class, with the SQLite error chained as the cause.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from json import JSONDecodeError
from types import MappingProxyType
from typing import ClassVar, Final


class HonkerError(Exception):
    """The base class of all errors of honker.

    Attributes:
        is_retryable: True if the same call may succeed later. The failed call changed nothing.
    """

    is_retryable: ClassVar[bool] = False


class InvalidArgumentError(HonkerError, ValueError):
    """An argument is invalid: wrong type, out of range, or impossible. Nothing was changed."""


class ArgumentOverflowError(InvalidArgumentError, OverflowError):
    """A number is outside the supported range. Nothing was changed."""


class InvalidPayloadError(HonkerError, TypeError):
    """A payload cannot be written as JSON. Nothing was changed."""


class UnreadablePayloadError(HonkerError, JSONDecodeError):
    """A stored payload or result is not JSON, or JSON that Python does not read."""


class PayloadMismatchError(UnreadablePayloadError):
    """A stored payload or result is not of the declared type, or not written by the same codec and keys."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "", 0)
        self.args = (message,)  # without the position of a text

    def __reduce__(self) -> tuple[type[PayloadMismatchError], tuple[str]]:
        return type(self), (self.msg,)


class UnsupportedParameterError(HonkerError, TypeError):
    """SQL parameters are not a positional sequence of None, bool, int, float, str and bytes."""


class QueueConflictError(HonkerError, ValueError):
    """A queue was already opened with other options; open it once, or with the same options."""


class LockHeld(HonkerError):
    """Another owner holds the lock; try again later."""


class LeadershipLost(HonkerError):
    """This scheduler's leadership was lost: its lock lapsed, or another scheduler holds it."""


class TaskConflictError(HonkerError, ValueError):
    """A duplicate task name: two functions were registered under it; pass ``name=`` to one of them."""


class InvalidTaskError(InvalidArgumentError, TypeError):
    """A function cannot become a task with these options; the message names an alternative."""


class InvalidCallError(InvalidArgumentError, TypeError):
    """The arguments of a call do not fit the signature of the task. Nothing was enqueued."""


class InvalidValueError(InvalidCallError, InvalidPayloadError):
    """An argument of a call is not of the type that the task declares for it. Nothing was enqueued."""


class InvalidScheduleError(InvalidArgumentError, AttributeError):
    """An object without an ``expr`` is no schedule; `honker.crontab` and `honker.every_s` make schedules."""


class NoTasksError(HonkerError, RuntimeError):
    """No tasks are registered; import the modules that define them."""


class UnknownTaskError(HonkerError, LookupError):
    """No task of that name is registered in this process; import the module that defines it."""


class StartHookError(HonkerError, RuntimeError):
    """A start hook of a worker raised an error, so the worker has not claimed a job. The error is chained."""


class HandlerProcessError(HonkerError, RuntimeError):
    """A handler in another process has failed, as the middleware around it sees that; the message holds the error."""


class InvalidDeliveryError(InvalidArgumentError, TypeError):
    """The delivery of an outbox is not callable."""


class OutboxConflictError(HonkerError, ValueError):
    """An outbox was already opened with other options or another delivery; open it once, or with the same ones."""


class JobFailedError(HonkerError):
    """The job of an awaited result is dead.

    Attributes:
        job_id: The job.
        error: The error of its last attempt.
    """

    def __init__(self, job_id: int, error: str) -> None:
        super().__init__(f"job {job_id} failed: {error}")
        self.job_id = job_id
        self.error = error

    def __reduce__(self) -> tuple[type[JobFailedError], tuple[int, str]]:
        return type(self), (self.job_id, self.error)


class JobCancelledError(HonkerError):
    """The job of an awaited result was cancelled.

    Attributes:
        job_id: The job.
    """

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} was cancelled")
        self.job_id = job_id

    def __reduce__(self) -> tuple[type[JobCancelledError], tuple[int]]:
        return type(self), (self.job_id,)


class ResultGoneError(HonkerError, TimeoutError):
    """The job left no result and will leave none: it is gone, or the transaction that enqueued it was rolled back."""


class DeadlockError(HonkerError, RuntimeError):
    """A wait for a result would never end, because the caller holds up the work that it waits for."""


class Retryable(HonkerError):
    """Raised by a handler to run its job again after ``delay_s`` seconds, if it has attempts left.

    Attributes:
        delay_s: Seconds from now, or a `timedelta`.
    """

    def __init__(self, message: str = "", delay_s: float | timedelta = 60) -> None:
        super().__init__(message)
        self.delay_s = delay_s

    def __reduce__(self) -> tuple[type[Retryable], tuple[str, float | timedelta]]:
        return type(self), (str(self), self.delay_s)


class Snooze(HonkerError):
    """Raised by a handler: run the job again after ``delay_s``; the attempt is not charged.

    For a job that has to wait, as for a rate limit, and has not failed. It may be put off any number of times.

    Attributes:
        delay_s: Seconds from now, or a `timedelta`.
    """

    def __init__(self, delay_s: float | timedelta, message: str = "") -> None:
        super().__init__(message)
        self.delay_s = delay_s

    def __reduce__(self) -> tuple[type[Snooze], tuple[float | timedelta, str]]:
        return type(self), (self.delay_s, str(self))


class Discard(HonkerError):
    """Raised by a handler: the job must not run again. It is dead-lettered with the reason, whatever attempts are left.

    Attributes:
        reason: The reason, kept with the dead letter; no traceback is.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class RateLimited(HonkerError):
    """Raised by a handler: another system takes no more requests for ``retry_after_s``; the attempt is not charged.

    The queue is paused until then, or with ``key=True`` only the jobs of this job's key, and the job waits with them.
    A pause that lasts longer stays as it is. With ``key=True``, a job without a key waits alone.

    Attributes:
        retry_after_s: Seconds from now, or a `timedelta`.
        key: True to hold only the jobs of the same key.
    """

    def __init__(self, retry_after_s: float | timedelta, key: bool = False, message: str = "") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.key = key

    def __reduce__(self) -> tuple[type[RateLimited], tuple[float | timedelta, bool, str]]:
        return type(self), (self.retry_after_s, self.key, str(self))


class ForkError(HonkerError, RuntimeError):
    """An object of the parent was used in a forked child, or a file that the parent was using at the fork."""


class ExtensionNotFoundError(HonkerError, FileNotFoundError):
    """The library ``libhonker_ext`` was not found."""


class ExtensionUnsupportedError(HonkerError, RuntimeError):
    """This Python's ``sqlite3`` cannot load extensions in any supported way."""


#: The name of the reference.
ExtensionLoadingUnsupported = ExtensionUnsupportedError


class DatabaseError(HonkerError, RuntimeError):
    """A database operation failed.

    Attributes:
        code: The stable code of the engine, ``HONKER_SQLITE`` for errors of SQLite itself.
        sqlite_code: SQLite's extended result code, if known.
    """

    code: str = "HONKER_SQLITE"
    sqlite_code: int | None = None


class DatabaseBusyError(DatabaseError):
    """The write lock was not free within the busy timeout. Nothing was changed; try again."""

    code = "HONKER_BUSY"
    is_retryable = True


class StaleSnapshotError(DatabaseBusyError):
    """The transaction began by reading, and another connection has written since; roll back and begin again.

    The same statement never succeeds in that transaction. ``BEGIN IMMEDIATE`` takes the write lock first and avoids
    the error. Nothing was changed.
    """

    code = "HONKER_BUSY_SNAPSHOT"
    is_retryable = False


class DatabaseFullError(DatabaseError):
    """The disk is full, or the file has reached its size limit. Nothing was changed; free space and try again."""

    code = "HONKER_FULL"
    is_retryable = True


class DatabaseReadOnlyError(DatabaseError):
    """The file or the connection is read-only."""

    code = "HONKER_READ_ONLY"


class DatabaseIOError(DatabaseError):
    """The operating system failed to read or write the file. Nothing was changed."""

    code = "HONKER_IO"
    is_retryable = True


class ConnectionLostError(DatabaseError):
    """The connection to the server is lost, or cannot be made. A call that was under way may have taken effect."""

    code = "HONKER_CONNECTION_LOST"
    is_retryable = True


class DatabaseCorruptError(DatabaseError):
    """The file is not a SQLite database, or its contents are malformed."""

    code = "HONKER_CORRUPT"


class DatabaseOpenError(DatabaseError):
    """The file cannot be opened or created."""

    code = "HONKER_CANTOPEN"


class ConstraintError(DatabaseError):
    """A constraint or trigger of the application rejected the statement. Nothing was changed."""

    code = "HONKER_CONSTRAINT"


class InterruptedStatementError(DatabaseError):
    """The statement was interrupted. Nothing was changed."""

    code = "HONKER_INTERRUPTED"
    is_retryable = True


class NotBootstrappedError(DatabaseError):
    """The file lacks honker's tables; `honker.open` or ``SELECT honker_bootstrap()`` creates them."""

    code = "HONKER_NOT_BOOTSTRAPPED"


class SchemaTooNewError(DatabaseError):
    """The file was written by a newer honker; upgrade this one."""

    code = "HONKER_SCHEMA_TOO_NEW"


class SQLiteTooOldError(DatabaseError):
    """The SQLite of this process is older than honker needs; upgrade it."""

    code = "HONKER_SQLITE_TOO_OLD"


class TwoSQLitesError(DatabaseError):
    """Another SQLite library of this process has loaded the engine; use one SQLite module for all connections."""

    code = "HONKER_TWO_SQLITES"


class NameTakenError(DatabaseError):
    """The connection has a function under a name of honker that SQLite cannot replace now."""

    code = "HONKER_NAME_TAKEN"


class MalformedRowError(DatabaseError):
    """A row was edited by hand into an unreadable form."""

    code = "HONKER_MALFORMED_ROW"


class UniqueKeyTakenError(DatabaseError):
    """Another job has the unique key, and ``on_conflict="raise"`` was given; or a dead letter with it was requeued."""

    code = "HONKER_UNIQUE_KEY_TAKEN"


class UnknownParentError(DatabaseError):
    """A job that was named in ``after`` never existed, or has ended without a trace."""

    code = "HONKER_UNKNOWN_PARENT"


class InternalError(DatabaseError):
    """A bug in honker. Nothing was changed."""

    code = "HONKER_INTERNAL"


class WatcherError(DatabaseError):
    """Commits to the file cannot be watched, or its watcher died because the file was replaced."""

    code = "HONKER_WATCHER"


class DatabaseReplacedError(WatcherError):
    """The database file was deleted, moved or replaced under the handle; close it and open the file again.

    Every operation of the handle raises it, at the latest a second after the replacement, and changes nothing. Commits
    of that second are in the file that was removed.
    """

    code = "HONKER_REPLACED"


class DatabaseClosedError(DatabaseError):
    """The database is closed."""

    code = "HONKER_CLOSED"


#: The handle can never be used again: a retry is of no use, and only opening the database again helps.
HANDLE_ENDED: Final = (DatabaseClosedError, DatabaseReplacedError, ForkError)


class NestedTransactionError(DatabaseError):
    """A nested ``db.transaction()``: this thread or task already holds one; pass it as ``tx=``."""

    code = "HONKER_NESTED_TRANSACTION"


class BlockingCallError(NestedTransactionError):
    """A blocking call on an event loop while another task of the loop is in a transaction; await its ``a`` twin.

    The call would wait for the other task, and the other task for the event loop. Nothing was changed.
    """

    code = "HONKER_BLOCKING_CALL"
    is_retryable = True


class TransactionNotStartedError(DatabaseError):
    """A transaction was used outside its ``with`` block."""

    code = "HONKER_TRANSACTION_NOT_STARTED"


class UnexpectedRowsError(DatabaseError):
    """A statement passed to ``execute`` returned rows; use ``query``."""

    code = "HONKER_UNEXPECTED_ROWS"


#: The error class of each code in the engine's messages.
ENGINE_ERRORS: Final[Mapping[str, type[HonkerError]]] = MappingProxyType(
    {
        "HONKER_INVALID_ARGUMENT": InvalidArgumentError,
        "HONKER_BUSY": DatabaseBusyError,
        "HONKER_FULL": DatabaseFullError,
        "HONKER_READ_ONLY": DatabaseReadOnlyError,
        "HONKER_IO": DatabaseIOError,
        "HONKER_CANTOPEN": DatabaseOpenError,
        "HONKER_CORRUPT": DatabaseCorruptError,
        "HONKER_CONSTRAINT": ConstraintError,
        "HONKER_INTERRUPTED": InterruptedStatementError,
        "HONKER_NOT_BOOTSTRAPPED": NotBootstrappedError,
        "HONKER_SCHEMA_TOO_NEW": SchemaTooNewError,
        "HONKER_SQLITE_TOO_OLD": SQLiteTooOldError,
        "HONKER_TWO_SQLITES": TwoSQLitesError,
        "HONKER_NAME_TAKEN": NameTakenError,
        "HONKER_MALFORMED_ROW": MalformedRowError,
        "HONKER_UNIQUE_KEY_TAKEN": UniqueKeyTakenError,
        "HONKER_UNKNOWN_PARENT": UnknownParentError,
        "HONKER_WATCHER": WatcherError,
        "HONKER_INTERNAL": InternalError,
        "HONKER_SQLITE": DatabaseError,
    }
)

# SQLite's extended result codes that mean something else than their primary code.
_EXTENDED_ERRORS: Final[Mapping[int, tuple[type[DatabaseError], str]]] = MappingProxyType(
    {
        517: (  # SQLITE_BUSY_SNAPSHOT
            StaleSnapshotError,
            "the transaction read before another connection wrote, and its snapshot is out of date; roll back and "
            "begin again, with BEGIN IMMEDIATE if it is going to write",
        ),
    }
)

# SQLite's primary result codes, for statements of the application.
_SQLITE_ERRORS: Final[Mapping[int, type[DatabaseError]]] = MappingProxyType(
    {
        5: DatabaseBusyError,
        6: DatabaseBusyError,
        8: DatabaseReadOnlyError,
        9: InterruptedStatementError,
        10: DatabaseIOError,
        11: DatabaseCorruptError,
        13: DatabaseFullError,
        14: DatabaseOpenError,
        19: ConstraintError,
        26: DatabaseCorruptError,
    }
)

_CODED = re.compile(r"(HONKER_[A-Z_]+): (.*)", re.DOTALL)
_BINDINGS = re.compile(r"Incorrect number of bindings supplied\..* uses (\d+), and there (?:is|are) (\d+) supplied")


def forked(parent_pid: int) -> ForkError:
    """The error for a use of an inherited transaction, iterator, subscription or connection in a forked child."""
    return ForkError(
        f"this object was made in process {parent_pid}, and cannot be used in its child {os.getpid()} that was forked "
        "later; make it again in the child. Databases, queues, streams and tasks reopen by themselves"
    )


def from_sqlite(error: Exception) -> HonkerError:
    """The honker error for an exception of a DB-API module; raise it ``from`` that exception."""
    message = str(error)
    sqlite_code: int | None = getattr(error, "sqlite_errorcode", None)
    coded = _CODED.search(message)
    extended = _EXTENDED_ERRORS.get(sqlite_code or 0)
    if extended is not None:
        found: HonkerError = extended[0](extended[1])
    elif coded is not None and coded[1] in ENGINE_ERRORS:
        found = ENGINE_ERRORS[coded[1]](_reworded(coded[2]))
    else:
        found = _SQLITE_ERRORS.get((sqlite_code or 0) & 0xFF, DatabaseError)(_reworded(message))
    if isinstance(found, DatabaseError):
        found.sqlite_code = sqlite_code
    return found


def _reworded(message: str) -> str:
    """Translate messages of Python's ``sqlite3`` into honker's stable wording."""
    if message == "database is locked":
        return (
            "database is locked: another connection holds the write lock; if it is a transaction of this thread, pass "
            "it as tx=, and the call becomes part of it"
        )
    bindings = _BINDINGS.search(message)
    if bindings is not None:
        return f"Wrong number of parameters passed to query. Got {bindings[2]}, needed {bindings[1]}"
    if message == "You can only execute one statement at a time.":
        return "Multiple statements provided; pass one statement at a time"
    return message
