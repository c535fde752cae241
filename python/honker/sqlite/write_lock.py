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

from honker.clock import monotonic
from honker.errors import BlockingCallError, DatabaseBusyError, NestedTransactionError

#: Seconds that a thread or task waits for one other of its process: as long as for another process.
HOLDER_TIMEOUT_S: Final = 5.0
#: Seconds that it waits for all that came before it.
WRITE_LOCK_TIMEOUT_S: Final = 60.0

_NESTED: Final = (
    "nested db.transaction() is not supported: this {holder} holds the transaction already; "
    "pass it as tx=, or leave its with block first"
)
_BLOCKING: Final = (
    "{holder} of this event loop is in a transaction, and a blocking call would keep the loop from ending it; "
    "await the method's twin whose name begins with a (aenqueue for enqueue), or pass that transaction as tx="
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
    At the end of the interpreter, which starts no threads, the function runs here and blocks the event loop.

    Args:
        function: The function.
        args: Its arguments.
        otherwise: Runs if the thread cannot be started.
    """
    if not threading.main_thread().is_alive():  # False in functions of atexit
        return function(*args)
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

    def __str__(self) -> str:
        if self.task is not None:
            return f"task {self.task.get_name()!r} ({getattr(self.task.get_coro(), '__qualname__', 'coroutine')})"
        names = [thread.name for thread in threading.enumerate() if thread.ident == self.thread_id]
        return f"thread {names[0]!r}" if names else "another thread"


#: In the place of a thread's number: a thread of honker, which no waiter can prevent from releasing the lock.
_OUR_THREAD: Final = 0


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


class _Patience:
    """The time that a waiter gives the others of its process.

    Each holder has `HOLDER_TIMEOUT_S`: one that keeps the lock longer may itself wait for this waiter, as a task does
    that gathers others inside its transaction. A long queue of short transactions has `WRITE_LOCK_TIMEOUT_S`.
    """

    def __init__(self, lock: WriteLock) -> None:
        self._lock = lock
        self._holder = lock.holder
        self._ends_at = monotonic() + WRITE_LOCK_TIMEOUT_S

    def next_s(self) -> float:
        """Seconds until `is_over` has to be asked."""
        return max(min(HOLDER_TIMEOUT_S, self._ends_at - monotonic()), 0.0)

    def is_over(self) -> bool:
        """True if the holder is the same as the last time, or if no time is left."""
        before, self._holder = self._holder, self._lock.holder
        return before is self._holder or monotonic() >= self._ends_at

    def error(self) -> DatabaseBusyError:
        """The error that tells who holds the lock."""
        return DatabaseBusyError(
            f"database is locked: {self._holder or 'a queue of other threads'} of this process has held the "
            f"transaction for {HOLDER_TIMEOUT_S:.0f} s; if it waits for this call, pass its transaction as tx= instead"
        )


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

    @property
    def holder(self) -> _Holder | None:
        """The thread or task that holds the lock; another object each time it is taken."""
        return self._holder

    def _refusal(self, waiter: _Holder) -> NestedTransactionError:
        """The error for a blocking wait on the holder's own thread."""
        holder = self._holder
        if holder is None or holder.task is None or holder.task is waiter.task:
            return NestedTransactionError(_NESTED.format(holder="thread" if waiter.task is None else "task"))
        return BlockingCallError(_BLOCKING.format(holder=holder))

    def acquire_now(self) -> bool:
        """Take the lock if it is free. True if it was."""
        with self._mutex:
            return self._take_if_free(_Holder(threading.get_ident(), None))

    def acquire(self) -> None:
        """Wait for the lock, blocking the thread.

        Raises:
            NestedTransactionError: This thread or task holds it.
            BlockingCallError: A suspended task of this thread holds it.
            DatabaseBusyError: One holder kept it for `HOLDER_TIMEOUT_S`, or all before for `WRITE_LOCK_TIMEOUT_S`.
        """
        holder = _Holder(threading.get_ident(), current_task())
        with self._mutex:
            if self._take_if_free(holder):
                return
            if self.is_held_here:
                raise self._refusal(holder)
            waiter = _Waiter(holder)
            self._queue_up(waiter)
        try:
            patience = _Patience(self)
            while not waiter.event.wait(patience.next_s()) and not patience.is_over():
                pass
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.is_granted and self._leave(waiter):
            raise patience.error()

    async def acquire_async(self) -> None:
        """Wait for the lock without blocking the event loop. Cancelling the wait gives up the place in the queue.

        Raises:
            NestedTransactionError: This task holds it.
            DatabaseBusyError: One holder kept it for `HOLDER_TIMEOUT_S`, or all before for `WRITE_LOCK_TIMEOUT_S`.
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
            patience = _Patience(self)
            # Not `wait_for`, which before Python 3.12 swallows a cancellation that comes together with the lock.
            while not (await asyncio.wait([waiter.future], timeout=patience.next_s()))[0] and not patience.is_over():
                pass
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.future.done():
            self._give_up(waiter)
            raise patience.error()

    def hand_to_thread(self) -> None:
        """Pass the lock to a thread of honker that works for its holder and releases it.

        From now on, even a blocking wait in the former holder's thread can end.
        """
        with self._mutex:
            self._holder = _Holder(_OUR_THREAD, None)  # a new one: waiters tell holders apart by identity

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
