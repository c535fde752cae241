"""Every error that honker raises: one tree, each class documented once, by its docstring.

Errors of the engine begin with a stable code (``HONKER_BUSY: database is locked``). [`from_sqlite`][] turns such a
message into its class, with the SQLite error chained as the cause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final


class HonkerError(Exception):
    """Something went wrong in honker; base of all its errors.

    Attributes:
        is_retryable: Whether the same call may succeed later, as it is; nothing was changed by this one.
    """

    is_retryable: ClassVar[bool] = False


class InvalidArgumentError(HonkerError, ValueError):
    """An argument is refused: wrong type, out of range, or impossible. Nothing was changed."""


class ArgumentOverflowError(InvalidArgumentError, OverflowError):
    """A number does not fit where it is needed. Nothing was changed."""


class InvalidPayloadError(HonkerError, TypeError):
    """A payload cannot be written as JSON. Nothing was changed."""


class UnsupportedParameterError(HonkerError, TypeError):
    """SQL parameters are not a positional sequence of None, bool, int, float, str and bytes."""


class QueueConflictError(HonkerError, ValueError):
    """A queue was already opened with other options; open it once, or with the same options."""


class LockHeld(HonkerError):
    """Somebody else holds the lock; try again later."""


class LeadershipLost(HonkerError):
    """This scheduler's leadership was lost: its lock lapsed, or another scheduler holds it."""


class TaskConflictError(HonkerError, ValueError):
    """A duplicate task name: two functions were registered under it; pass ``name=`` to one of them."""


class InvalidTaskError(InvalidArgumentError, TypeError):
    """A function cannot be made a task in the way that was asked for; the message says what to do instead."""


class NoTasksError(HonkerError, RuntimeError):
    """There are no tasks registered, so there is nothing to work on; import the modules that define them."""


class UnknownTaskError(HonkerError, LookupError):
    """No task of that name is registered in this process; import the module that defines it."""


class InvalidDeliveryError(InvalidArgumentError, TypeError):
    """The delivery of an outbox must be callable."""


class OutboxConflictError(HonkerError, ValueError):
    """An outbox was already opened with other options or another delivery; open it once, or with the same."""


class JobFailedError(HonkerError):
    """The job whose result was waited for is dead.

    Attributes:
        job_id: The job.
        error: Why its last attempt failed.
    """

    def __init__(self, job_id: int, error: str) -> None:
        super().__init__(f"job {job_id} failed: {error}")
        self.job_id = job_id
        self.error = error

    def __reduce__(self) -> tuple[type[JobFailedError], tuple[int, str]]:
        return type(self), (self.job_id, self.error)


class JobCancelledError(HonkerError):
    """The job whose result was waited for was cancelled.

    Attributes:
        job_id: The job.
    """

    def __init__(self, job_id: int) -> None:
        super().__init__(f"job {job_id} was cancelled")
        self.job_id = job_id

    def __reduce__(self) -> tuple[type[JobCancelledError], tuple[int]]:
        return type(self), (self.job_id,)


class ResultGoneError(HonkerError, TimeoutError):
    """The job is gone and left no result: none was kept, or its time is over. Waiting longer is of no use."""


class Retryable(HonkerError):
    """Raised by a handler: the job is to run again after ``delay_s`` seconds, if it has attempts left.

    Attributes:
        delay_s: Seconds from now.
    """

    def __init__(self, message: str = "", delay_s: float = 60) -> None:
        super().__init__(message)
        self.delay_s = delay_s

    def __reduce__(self) -> tuple[type[Retryable], tuple[str, float]]:
        return type(self), (str(self), self.delay_s)


class ForkError(HonkerError, RuntimeError):
    """A handle was opened before a fork and used in the child; open the database again in the child."""


class ExtensionNotFoundError(HonkerError, FileNotFoundError):
    """The library ``libhonker_ext`` is not where it should be."""


class ExtensionUnsupportedError(HonkerError, RuntimeError):
    """This Python's ``sqlite3`` cannot load extensions in any of the ways honker knows."""


class DatabaseError(HonkerError, RuntimeError):
    """The database refused.

    Attributes:
        code: The stable code of the engine, ``HONKER_SQLITE`` where SQLite itself refused.
        sqlite_code: SQLite's extended result code, if known.
    """

    code: str = "HONKER_SQLITE"
    sqlite_code: int | None = None


class DatabaseBusyError(DatabaseError):
    """The write lock was not free within the busy timeout. Nothing was changed; try again."""

    code = "HONKER_BUSY"
    is_retryable = True


class DatabaseFullError(DatabaseError):
    """The disk or the file's size limit is full. Nothing was changed; free space and try again."""

    code = "HONKER_FULL"
    is_retryable = True


class DatabaseReadOnlyError(DatabaseError):
    """The file or the connection is read-only."""

    code = "HONKER_READ_ONLY"


class DatabaseIOError(DatabaseError):
    """The operating system failed to read or write the file. Nothing was changed."""

    code = "HONKER_IO"
    is_retryable = True


class DatabaseCorruptError(DatabaseError):
    """The file is not a SQLite database, or its contents are malformed."""

    code = "HONKER_CORRUPT"


class DatabaseOpenError(DatabaseError):
    """The file cannot be opened or created."""

    code = "HONKER_CANTOPEN"


class ConstraintError(DatabaseError):
    """A constraint or a trigger of the application refused. Nothing was changed."""

    code = "HONKER_CONSTRAINT"


class InterruptedStatementError(DatabaseError):
    """Somebody interrupted the statement. Nothing was changed."""

    code = "HONKER_INTERRUPTED"
    is_retryable = True


class NotBootstrappedError(DatabaseError):
    """The file lacks honker's tables; `honker.open` or ``SELECT honker_bootstrap()`` makes them."""

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
    """A row was edited into something that cannot be understood."""

    code = "HONKER_MALFORMED_ROW"


class InternalError(DatabaseError):
    """A bug in honker. Nothing was changed."""

    code = "HONKER_INTERNAL"


class WatcherError(DatabaseError):
    """Commits to the file cannot be watched, or its watcher died because the file was replaced."""

    code = "HONKER_WATCHER"


class DatabaseClosedError(DatabaseError):
    """Database is closed."""

    code = "HONKER_CLOSED"


class NestedTransactionError(DatabaseError):
    """nested db.transaction() is not supported: this thread or task holds one; pass it as ``tx=``."""

    code = "HONKER_NESTED_TRANSACTION"


class TransactionNotStartedError(DatabaseError):
    """Transaction not started: use it inside its ``with`` block."""

    code = "HONKER_TRANSACTION_NOT_STARTED"


class UnexpectedRowsError(DatabaseError):
    """Execute returned results - did you mean to call query?"""

    code = "HONKER_UNEXPECTED_ROWS"


#: The class of each code that the engine puts before its messages.
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
        "HONKER_WATCHER": WatcherError,
        "HONKER_INTERNAL": InternalError,
        "HONKER_SQLITE": DatabaseError,
    }
)

# SQLite's primary result codes, for statements that are not ours.
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


def from_sqlite(error: Exception) -> HonkerError:
    """The honker error for an exception of a DB-API module; to be raised ``from`` it."""
    message = str(error)
    sqlite_code: int | None = getattr(error, "sqlite_errorcode", None)
    coded = _CODED.search(message)
    if coded is not None and coded[1] in ENGINE_ERRORS:
        found = ENGINE_ERRORS[coded[1]](coded[2])
    else:
        found = _SQLITE_ERRORS.get((sqlite_code or 0) & 0xFF, DatabaseError)(_reworded(message))
    if isinstance(found, DatabaseError):
        found.sqlite_code = sqlite_code
    return found


def _reworded(message: str) -> str:
    """Messages of Python's own ``sqlite3``, in the words that honker's callers know."""
    bindings = _BINDINGS.search(message)
    if bindings is not None:
        return f"Wrong number of parameters passed to query. Got {bindings[2]}, needed {bindings[1]}"
    if message == "You can only execute one statement at a time.":
        return "Multiple statements provided; pass one statement at a time"
    return message
