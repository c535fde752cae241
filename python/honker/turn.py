"""The turn to use the one connection that writes.

SQLite has one writer at a time per file. Within a process honker queues for it here, in order of arrival and without
a retry loop, for threads and for asyncio tasks alike; only the wait for *other processes* is left to SQLite.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from honker.errors import DatabaseBusyError, NestedTransactionError

#: How long a thread or task waits for the others of its process. Longer than any sane transaction, so that a
#: forgotten one is reported instead of waited for.
TURN_TIMEOUT_S: Final = 60.0

_TIMED_OUT: Final = (
    f"database is locked: another thread or task of this process has held the transaction for {TURN_TIMEOUT_S:.0f} s"
)
_NESTED: Final = (
    "nested db.transaction() is not supported: this {holder} holds the transaction already; "
    "pass it as tx=, or leave its with block first"
)

T = TypeVar("T")
Task: TypeAlias = "asyncio.Task[Any]"


def current_task() -> Task | None:
    """The asyncio task that is running, if any."""
    # Asked first: to be told by an exception takes ten times as long, and this is asked for every write.
    return None if asyncio._get_running_loop() is None else asyncio.current_task()


async def in_thread(function: Callable[..., T], *args: Any, otherwise: Callable[[], None]) -> T:
    """Run in a thread what gives the turn back itself when it ends; ``otherwise`` runs if it cannot even begin.

    What a cancelled task leaves behind in the queue of threads still runs: only then does it give the turn back.
    """
    try:
        future = asyncio.get_running_loop().run_in_executor(None, function, *args)
    except BaseException:
        otherwise()
        raise
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_forget)
        raise


def _forget(future: asyncio.Future[Any]) -> None:
    """Nobody is left to hear of a failure; without this asyncio would complain that nobody asked."""
    if not future.cancelled():
        future.exception()


class _Holder(NamedTuple):
    thread_id: int
    task: Task | None


#: A holder that cannot be blocked by whoever waits for it.
_NOBODY: Final = _Holder(0, None)


class _Waiter:
    """Somebody in the queue; a thread waits on an event, a task awaits a future."""

    def __init__(self, holder: _Holder) -> None:
        self.holder = holder
        self.is_granted = False
        self.event = threading.Event()
        self.future: asyncio.Future[None] | None = None

    def grant(self) -> bool:
        """Hand the turn over; False if the waiter's event loop is gone."""
        self.event.set()
        if self.future is not None:
            try:
                self.future.get_loop().call_soon_threadsafe(_resolve, self.future)
            except RuntimeError:
                return False
        self.is_granted = True
        return True


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Turn:
    """A fair lock that both threads and tasks can wait for, and that refuses to be waited for by its holder."""

    def __init__(self) -> None:
        # Guards the fields below; never held while waiting. Reentrant, since the collector of garbage may come upon a
        # transaction that nobody ended, at any point of a method, and give its turn back: see `_queue_up`.
        self._mutex = threading.RLock()
        self._holder: _Holder | None = None
        self._waiters: deque[_Waiter] = deque()
        self._farewell: Callable[[], None] | None = None

    @property
    def is_mine(self) -> bool:
        """Whether this thread, or a task that is suspended on it, holds the turn: blocking for it would be forever."""
        holder = self._holder
        return holder is not None and holder.thread_id == threading.get_ident()

    def take_now(self) -> bool:
        """Take the turn if it is free."""
        with self._mutex:
            return self._take_if_free(_Holder(threading.get_ident(), None))

    def take(self) -> None:
        """Wait for the turn, blocking the thread.

        Raises:
            NestedTransactionError: This thread holds it, itself or through a suspended task.
            DatabaseBusyError: It did not come within `TURN_TIMEOUT_S`.
        """
        holder = _Holder(threading.get_ident(), current_task())
        with self._mutex:
            if self._take_if_free(holder):
                return
            if self.is_mine:
                raise NestedTransactionError(_NESTED.format(holder="thread"))
            waiter = _Waiter(holder)
            self._queue_up(waiter)
        try:
            waiter.event.wait(TURN_TIMEOUT_S)
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.is_granted and self._leave(waiter):
            raise DatabaseBusyError(_TIMED_OUT)

    async def take_async(self) -> None:
        """Wait for the turn without blocking the event loop. Cancelling the wait gives up the place.

        Raises:
            NestedTransactionError: This task holds it.
            DatabaseBusyError: It did not come within `TURN_TIMEOUT_S`.
        """
        holder = _Holder(threading.get_ident(), current_task())
        with self._mutex:
            if self._take_if_free(holder):
                return
            # Held by this task, or by the blocking code that runs this very event loop.
            if self.is_mine and self._holder in (holder, _Holder(holder.thread_id, None)):
                raise NestedTransactionError(_NESTED.format(holder="task"))
            waiter = _Waiter(holder)
            waiter.future = asyncio.get_running_loop().create_future()
            self._queue_up(waiter)
        try:
            # Not `wait_for`, which before Python 3.12 swallows a cancellation that comes together with the turn.
            await asyncio.wait([waiter.future], timeout=TURN_TIMEOUT_S)
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.future.done():
            self._give_up(waiter)
            raise DatabaseBusyError(_TIMED_OUT)

    def lend(self) -> None:
        """Note that a thread of its own uses the turn for its holder, and will give it back without anybody's help.

        Then it can be waited for even by blocking the thread that took it.
        """
        with self._mutex:
            self._holder = _NOBODY

    def give(self) -> None:
        """Pass the turn to the next in the queue. Any thread may do it for the holder."""
        with self._mutex:
            self._pass_on()

    def when_free(self, farewell: Callable[[], None]) -> None:
        """Run something as soon as nobody holds the turn or waits for it: now, or when the last one gives it."""
        with self._mutex:
            self._farewell = farewell
            self._say_farewell()

    def _say_farewell(self) -> None:
        if self._holder is None and self._farewell is not None:
            farewell, self._farewell = self._farewell, None
            farewell()

    def _take_if_free(self, holder: _Holder) -> bool:
        if self._holder is not None:
            return False
        self._holder = holder
        return True

    def _queue_up(self, waiter: _Waiter) -> None:
        self._waiters.append(waiter)
        if self._holder is None:  # given back since it was found taken
            self._pass_on()

    def _leave(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the turn came in the same moment."""
        with self._mutex:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                return False
            return True

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the queue; a turn that came in the same moment goes on to the next."""
        if not self._leave(waiter):
            self.give()

    def _pass_on(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            self._holder = waiter.holder
            if waiter.grant():
                return
        self._holder = None
        self._say_farewell()
