"""The lock on the one connection that writes.

SQLite allows one writer at a time per file. Within a process, threads and asyncio tasks queue for the connection here,
in order of arrival and without a retry loop; only the wait for *other processes* is left to SQLite.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from honker.errors import DatabaseBusyError, NestedTransactionError

#: Seconds that a thread or task waits for the others of its process. Longer than any reasonable transaction, so that a
#: forgotten one is reported.
WRITE_LOCK_TIMEOUT_S: Final = 60.0

_NESTED: Final = (
    "nested db.transaction() is not supported: this {holder} holds the transaction already; "
    "pass it as tx=, or leave its with block first"
)

T = TypeVar("T")
Task: TypeAlias = "asyncio.Task[Any]"


def current_task() -> Task | None:
    """The asyncio task that is running, if any."""
    # Checked first: the exception without a loop takes ten times as long, and every write calls this.
    return None if asyncio._get_running_loop() is None else asyncio.current_task()


async def in_thread(function: Callable[..., T], *args: Any, otherwise: Callable[[], None]) -> T:
    """Run a function in a thread that releases the write lock when it ends.

    A cancelled task leaves the function in the queue of threads, where it still runs and then releases the lock.

    Args:
        function: The function.
        args: Its arguments.
        otherwise: Runs if the thread cannot be started.
    """
    try:
        future = asyncio.get_running_loop().run_in_executor(None, function, *args)
    except BaseException:
        otherwise()
        raise
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        future.add_done_callback(_retrieve)
        raise


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Mark a failure as seen: its waiter was cancelled, and asyncio would log it as never retrieved."""
    if not future.cancelled():
        future.exception()


class _Holder(NamedTuple):
    thread_id: int
    task: Task | None


#: The holder for a thread of honker, which no waiter can prevent from releasing the lock.
_THREAD: Final = _Holder(0, None)


class _Waiter:
    """A place in the queue; a thread waits on an event, a task awaits a future."""

    def __init__(self, holder: _Holder) -> None:
        self.holder = holder
        self.is_granted = False
        self.event = threading.Event()
        self.future: asyncio.Future[None] | None = None

    def grant(self) -> bool:
        """Pass the lock to the waiter; False if its event loop is gone."""
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


class WriteLock:
    """A fair lock for threads and tasks, which rejects a second wait by its holder."""

    def __init__(self) -> None:
        # Guards the fields below; never held while waiting. Reentrant, because the garbage collector may finalise an
        # abandoned transaction inside any method, and so release its lock; see `_queue_up`.
        self._mutex = threading.RLock()
        self._holder: _Holder | None = None
        self._waiters: deque[_Waiter] = deque()
        self._when_free: Callable[[], None] | None = None

    @property
    def is_held_here(self) -> bool:
        """True if this thread, or a task that is suspended on it, holds the lock: a blocking wait would never end."""
        holder = self._holder
        return holder is not None and holder.thread_id == threading.get_ident()

    def acquire_now(self) -> bool:
        """Take the lock if it is free. True if it was."""
        with self._mutex:
            return self._take_if_free(_Holder(threading.get_ident(), None))

    def acquire(self) -> None:
        """Wait for the lock, blocking the thread.

        Raises:
            NestedTransactionError: This thread holds it, itself or through a suspended task.
            DatabaseBusyError: It was not free within `WRITE_LOCK_TIMEOUT_S`.
        """
        holder = _Holder(threading.get_ident(), current_task())
        with self._mutex:
            if self._take_if_free(holder):
                return
            if self.is_held_here:
                raise NestedTransactionError(_NESTED.format(holder="thread"))
            waiter = _Waiter(holder)
            self._queue_up(waiter)
        try:
            waiter.event.wait(WRITE_LOCK_TIMEOUT_S)
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.is_granted and self._leave(waiter):
            raise _timed_out()

    async def acquire_async(self) -> None:
        """Wait for the lock without blocking the event loop. Cancelling the wait gives up the place in the queue.

        Raises:
            NestedTransactionError: This task holds it.
            DatabaseBusyError: It was not free within `WRITE_LOCK_TIMEOUT_S`.
        """
        holder = _Holder(threading.get_ident(), current_task())
        with self._mutex:
            if self._take_if_free(holder):
                return
            # Held by this task, or by the blocking code that runs this event loop.
            if self.is_held_here and self._holder in (holder, _Holder(holder.thread_id, None)):
                raise NestedTransactionError(_NESTED.format(holder="task"))
            waiter = _Waiter(holder)
            waiter.future = asyncio.get_running_loop().create_future()
            self._queue_up(waiter)
        try:
            # Not `wait_for`, which before Python 3.12 swallows a cancellation that comes together with the lock.
            await asyncio.wait([waiter.future], timeout=WRITE_LOCK_TIMEOUT_S)
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.future.done():
            self._give_up(waiter)
            raise _timed_out()

    def hand_to_thread(self) -> None:
        """Pass the lock to a thread of honker that works for its holder and releases it.

        From now on, even a blocking wait in the former holder's thread can end.
        """
        with self._mutex:
            self._holder = _THREAD

    def release(self) -> None:
        """Pass the lock to the next waiter. Any thread may do so for the holder."""
        with self._mutex:
            self._pass_on()

    def when_free(self, action: Callable[[], None]) -> None:
        """Run ``action`` once, as soon as the lock is neither held nor waited for: now, or at the last release."""
        with self._mutex:
            self._when_free = action
            self._run_when_free()

    def _run_when_free(self) -> None:
        if self._holder is None and self._when_free is not None:
            action, self._when_free = self._when_free, None
            action()

    def _take_if_free(self, holder: _Holder) -> bool:
        if self._holder is not None:
            return False
        self._holder = holder
        return True

    def _queue_up(self, waiter: _Waiter) -> None:
        self._waiters.append(waiter)
        if self._holder is None:  # released since it was found taken
            self._pass_on()

    def _leave(self, waiter: _Waiter) -> bool:
        """Leave the queue; False if the lock was granted at the same moment."""
        with self._mutex:
            try:
                self._waiters.remove(waiter)
            except ValueError:
                return False
            return True

    def _give_up(self, waiter: _Waiter) -> None:
        """Leave the queue; a lock granted at the same moment passes to the next waiter."""
        if not self._leave(waiter):
            self.release()

    def _pass_on(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            self._holder = waiter.holder
            if waiter.grant():
                return
        self._holder = None
        self._run_when_free()


def _timed_out() -> DatabaseBusyError:
    return DatabaseBusyError(
        "database is locked: another thread or task of this process has held the transaction for "
        f"{WRITE_LOCK_TIMEOUT_S:.0f} s"
    )
