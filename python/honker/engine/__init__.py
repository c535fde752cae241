"""The seam: the operations that a storage engine offers to everything above it.

Everything above this package runs the functions of ``reference.yaml`` through an `Engine`, each as one statement
``SELECT honker_<noun>_<verb>(?, ...)``. It uses no driver, no file and no connection. One engine exists:
`honker.sqlite`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeAlias

from honker.arguments import Call, Parameters, Row, SQLValue, TransactionLike
from honker.engine.limits import Limits

#: Seconds after which a waiter looks at the data even if no commit woke it: a wake is only a hint.
FALLBACK_POLL_S: Final = 15.0

#: A job or an event that may be written together with others: its JSON text, or that and the JSON text of its options.
Element: TypeAlias = str | tuple[str, str]


class Transaction(ABC):
    """A write transaction, begun by ``with`` or ``async with`` and ended by leaving the block.

    The write lock is waited for once, on entry, and no statement inside the block can fail for the lack of it. COMMIT
    on a normal exit, ROLLBACK on an exception, which is never suppressed. After an exit the object may be entered
    again.

    With ``async with``, waiting for other tasks, another process or the disk does not block the event loop: a COMMIT
    that may wait runs in a thread. A task that is cancelled during it does not stop it. Other tasks that want to write
    wait until the transaction ends.

    Jobs and events that are added one after the other, with nothing else in between, are mostly written together, just
    before the next statement or the COMMIT. They are dated at that moment, and a full disk is reported there.
    """

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    @abstractmethod
    def execute(self, sql: str, params: Parameters = None) -> None:
        """Run one statement that returns no rows.

        Args:
            sql: One SQL statement.
            params: Positional parameters: None, bool, int, float, str or bytes each.

        Raises:
            UnexpectedRowsError: The statement returns rows; call `query`.
            UnsupportedParameterError: The parameters are not as above.
            DatabaseError: The statement failed.
        """

    @abstractmethod
    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement and return its rows, each a dict by column label.

        Args:
            sql: One SQL statement.
            params: Positional parameters: None, bool, int, float, str or bytes each.

        Raises:
            UnsupportedParameterError: The parameters are not as above.
            DatabaseError: The statement failed.
        """

    @abstractmethod
    def notify(self, channel: str, payload: Any) -> int:
        """Notify the listeners of a channel when this transaction commits; none of them if it does not.

        Args:
            channel: Non-empty text, at most 255 UTF-8 bytes.
            payload: Anything JSON can carry.

        Returns:
            The notification's id.

        Raises:
            InvalidPayloadError: The payload has no JSON form.

        Source: SQL ``notify``.
        """

    @abstractmethod
    def bootstrap_honker_schema(self) -> None:
        """Create or upgrade honker's tables as part of this transaction; nothing if they are current.

        Source: SQL ``honker_bootstrap``.
        """


class HandlerScope(Protocol):
    """The transaction of a job's handler, as the worker sees it: the worker ends it, the handler only uses it."""

    @property
    def transaction(self) -> Transaction:
        """The transaction to hand to the handler; it begins when the handler first needs it."""
        ...

    @property
    def is_active(self) -> bool:
        """True once it has begun, until it ends."""
        ...

    def finish(self, *, commits: bool) -> None:
        """COMMIT or ROLLBACK, if it has begun; every later use is refused."""
        ...

    async def afinish(self, *, commits: bool) -> None:
        """Like `finish`, without blocking the event loop. A commit that is cancelled may still take effect."""
        ...

    def revoke(self) -> None:
        """Refuse every further statement and the commit: the handler's lease is lost."""
        ...


class Fate(Protocol):
    """The end of a transaction that was passed as ``tx=``."""

    @property
    def is_over(self) -> bool:
        """True once it has ended."""
        ...

    @property
    def is_committed(self) -> bool | None:
        """True if it was committed, False if it was rolled back, None if that is not known."""
        ...


class Updates(Protocol):
    """Wakes after commits, for ``for``, ``async for`` or any event loop; see `honker.UpdateEvents`."""

    def fileno(self) -> int:
        """A descriptor that is readable when `wait` would not block. From now on commits are announced to it."""
        ...

    def rest(self) -> None:
        """Have commits announced no longer, until the next call of `fileno` or `wait`; a saving, and no more.

        The next wait counts as a wake if a commit may have been missed.
        """
        ...

    def wait(self, timeout_s: float | None) -> bool:
        """Block until a commit since the last wake, or for ``timeout_s`` seconds. True if there was a commit."""
        ...

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Like `wait`, without blocking the event loop. A cancelled wait leaves the object usable."""
        ...

    def stats(self) -> dict[str, Any]:
        """The mode and the counters of the watcher."""
        ...

    def close(self) -> None:
        """End the subscription; a waiting thread gets a `DatabaseClosedError`. Idempotent."""
        ...

    def __iter__(self) -> Iterator[None]: ...
    def __aiter__(self) -> AsyncIterator[None]: ...


class LoopUpdates(Protocol):
    """Wakes after commits for a coroutine. Waited for on its event loop only."""

    async def wait_async(self, timeout_s: float | None) -> bool:
        """Wait for a commit since the last wake, or for ``timeout_s`` seconds. True if there was a commit."""
        ...

    def close(self) -> None:
        """End the subscription, from any thread; a waiter gets a `DatabaseClosedError`. Idempotent."""
        ...


class Engine(Protocol):
    """Runs the functions of the contract on one database. Safe to use from several threads and event loops.

    ``tx=`` is an open transaction, of honker or of the application's own driver: the function becomes part of it.
    Methods that begin with ``a`` never block the event loop. A cancelled ``a`` call may still take effect.

    Calls of `acall` and `aadd` that several tasks of an event loop make at once may share a commit. Each then returns
    its own answer, or raises its own error, after that commit. They take effect in the order in which they were made.
    """

    @property
    def path(self) -> str:
        """The database: an absolute path or a URI."""
        ...

    @property
    def identity(self) -> str:
        """The same text for every handle on this database, through a link or another spelling of its path too."""
        ...

    @property
    def limits(self) -> Limits:
        """The ranges against which the engine checks arguments."""
        ...

    @property
    def is_closed(self) -> bool:
        """True once it is closed."""
        ...

    @property
    def is_writing_here(self) -> bool:
        """True while this thread, or a task suspended on it, is in a transaction."""
        ...

    @property
    def is_commit_slow(self) -> bool:
        """True if the next commit may wait for the disk; `call_now` then blocks an event loop, and `acall` does not."""
        ...

    def call(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a function that writes, as part of ``tx`` or committed by itself."""
        ...

    async def acall(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `call`, without blocking the event loop.

        A call that is cancelled before its commit has begun is not made; one that is cancelled later may take effect.
        """
        ...

    def call_now(self, sql: str, *params: SQLValue) -> Any:
        """As `call`, without waiting.

        Raises:
            DatabaseBusyError: Another thread, task or process is writing.
        """
        ...

    def ask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a function that only reads; takes no write lock."""
        ...

    async def aask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `ask`, without blocking the event loop."""
        ...

    def add(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Add a job or an event in a transaction, alone or together with those that follow it.

        Args:
            one: The function that adds this one, and its arguments.
            many: The function that adds many, and its arguments from ?2 on; ?1 is a JSON array of elements.
            element: This one in that array, as JSON text. With a second text, its options, ``many`` takes one more JSON
                array after its arguments.
            tx: The transaction.

        Returns:
            Its id.
        """
        ...

    async def aadd(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Like `add`, without blocking the event loop; without ``tx``, like `acall`."""
        ...

    def fate(self, tx: TransactionLike) -> Fate:
        """The end of the transaction ``tx``, which runs now."""
        ...

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """The rows of one statement of the application that only reads."""
        ...

    async def aquery(self, sql: str, params: Parameters = None) -> list[Row]:
        """Like `query`, without blocking the event loop."""
        ...

    def transaction(self) -> Transaction:
        """A write transaction for the application."""
        ...

    def handler_transaction(self) -> HandlerScope:
        """A write transaction for the handler of a job, ended by the worker."""
        ...

    def updates(self, *, overhears: bool = False) -> Updates:
        """Begin to notice commits of any connection in any process, from this moment on.

        Args:
            overhears: True for a waiter to which only requests to cancel have to be announced. It is woken by other
                commits too, where that costs the writers nothing.
        """
        ...

    def loop_updates(self) -> LoopUpdates:
        """As `updates`, for one of many waiters on the running event loop: together they cost one descriptor."""
        ...

    def clock(self) -> float:
        """The engine's time in Unix seconds; all waiting for an instant uses it."""
        ...

    def close(self) -> None:
        """Close every connection. Idempotent. A transaction that is open at this moment may still end."""
        ...


class Handle(Protocol):
    """An object that works on an engine: the database, for queues, streams, locks and the like."""

    @property
    def engine(self) -> Engine:
        """The engine."""
        ...

    @property
    def path(self) -> str:
        """The database: an absolute path or a URI."""
        ...
