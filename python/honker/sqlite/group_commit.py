"""Writes of the coroutines of one event loop that share commits."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import Any, Final

from honker.arguments import Call
from honker.engine import Element
from honker.errors import DatabaseBusyError, HonkerError, InterruptedStatementError, NestedTransactionError
from honker.sqlite.call_group import GroupedCall, TransactionLostError, fail, run_now, run_waiting
from honker.sqlite.connection import Connection
from honker.sqlite.held_elsewhere import endless_wait
from honker.sqlite.write_lock import Task, WriteLock, current_task

#: Calls that share a commit at most; it bounds the time for which a group keeps the event loop.
_AT_ONCE: Final = 500
#: Commits in a row of one task that does nothing else, until others have a turn.
_IN_A_ROW: Final = 64


class GroupCommit:
    """The writes of one event loop on one file.

    A call is committed alone and at once if no other is in sight. It joins the next group in three cases: another task
    has written in the same iteration of the loop; a group waits or is being committed; the last group had several
    calls. A group begins in the next iteration of the loop, or when the write lock is free, or when the commit before
    it has ended. There is no timer.

    - *Order.* Groups take calls in the order in which they were made, and no call is made alone while others wait. So
      ids ascend in that order.
    - *Durability.* A call returns after the COMMIT of its group.
    - *Errors.* A call that fails leaves the others as they are. A COMMIT that fails fails all calls of its group. If
      SQLite rolls back the transaction before, as for a full disk, each call of the group is made again, alone.
    - *Cancellation.* A call that is cancelled before its group begins is not made. One that is cancelled later takes
      effect if the commit does. The others of the group are not affected.

    All fields belong to the event loop. A thread that commits a group has only the calls and the write lock.
    """

    def __init__(self, writer: Connection, write_lock: WriteLock, loop: asyncio.AbstractEventLoop) -> None:
        #: Weak, because the engine keeps this object by its loop.
        self.loop = weakref.ref(loop)
        self._writer = writer
        self._write_lock = write_lock
        self._waiting: list[GroupedCall] = []
        # True from the first call of a group until the end of its commit.
        self._is_busy = False
        # True after a group of several calls.
        self._is_crowded = False
        # The task that has committed alone in this iteration of the loop.
        self._alone: Task | None = None
        # Kept while it waits, because the event loop does not keep it; and the calls that are awaited meanwhile.
        self._wait_task: Task | None = None
        self._awaited_count = 0
        self._left = 0

    def submit(
        self, loop: asyncio.AbstractEventLoop, one: Call, many: Call | None = None, element: Element | None = None
    ) -> GroupedCall:
        """Make a call alone, or let it join the next group; see `honker.engine.Engine.acall` and `aadd`.

        Args:
            loop: The running event loop.
            one: The call.
            many: The call that adds several of its kind.
            element: Its element in ``many``.

        Returns:
            The call, with its answer or with a future to await.

        Raises:
            HonkerError: The call was made alone, and failed; or this task holds the write lock.
        """
        if not self._is_busy and not self._is_crowded and self._may_be_alone(loop):
            call = GroupedCall(one)  # before the lock is taken, which an interrupt here would leave locked
            if self._write_lock.acquire_now():
                return self._call_alone(loop, call)
        if self._write_lock.holder is not None:
            self._check_not_held()
        endless = endless_wait(self._writer.real_path, is_blocking=False)
        if endless is not None:
            return self._call_apart(one, endless)
        call = GroupedCall(one, many, element, loop.create_future())
        self._waiting.append(call)
        if not self._is_busy:
            loop.call_soon(self._begin)
            self._is_busy = True
        elif self._wait_task is not None:
            self._count_awaited([call])
        return call

    def _check_not_held(self) -> None:
        """Refuse the call of a task that holds the write lock, or whose event loop is run by code that does."""
        holder = self._write_lock.holder
        if holder is not None and holder.thread_id == threading.get_ident() and holder.task in {None, current_task()}:
            self._write_lock.acquire()  # raises the error
            self._write_lock.release()

    # Alone

    def _may_be_alone(self, loop: asyncio.AbstractEventLoop) -> bool:
        """True unless another task has written in this iteration of the loop, or waits for a turn to do so."""
        task = current_task()
        if self._alone is None:
            self._alone, self._left = task, _IN_A_ROW
            loop.call_soon(self._begin_iteration)
            return True
        self._left -= 1
        return self._alone is task and self._left > 0

    def _begin_iteration(self) -> None:
        self._alone = None

    def _call_alone(self, loop: asyncio.AbstractEventLoop, call: GroupedCall) -> GroupedCall:
        """Make one call at once; in a thread if that would have to wait."""
        try:
            run_now(self._writer, [call])
        except DatabaseBusyError:
            try:
                self._writer.check_wait(is_blocking=False)
            except BaseException:
                self._write_lock.release()
                raise
        except BaseException:
            self._write_lock.release()
            raise
        else:
            self._write_lock.release()
            return call
        call.future = loop.create_future()
        self._is_busy = True
        self._commit_in_thread([call])
        return call

    def _call_apart(self, one: Call, endless: NestedTransactionError) -> GroupedCall:
        """Make a call whose task holds the lock of the file on another connection: it fails if it has to wait."""
        if not self._write_lock.acquire_now():
            raise endless
        call = GroupedCall(one)
        try:
            self._writer.make_ready()
            self._writer.fail_when_busy()
            call.answer = self._writer.scalar(one[0], one[1:])
        except DatabaseBusyError as busy:
            raise endless from busy
        finally:
            self._write_lock.release()
        return call

    # Together

    def _begin(self) -> None:
        """Commit the calls that wait, or wait for the write lock."""
        try:
            is_free = self._write_lock.acquire_now()
        except BaseException:  # an interrupt, after which the application may run the event loop again
            asyncio.get_running_loop().call_soon(self._begin)
            raise
        if is_free:
            self._commit()
            return
        self._waiting = [call for call in self._waiting if call.is_awaited]
        self._is_busy = bool(self._waiting)
        if self._waiting:
            self._awaited_count = 0
            self._count_awaited(self._waiting)
            self._wait_task = asyncio.get_running_loop().create_task(self._wait(), name="honker writes")

    def _count_awaited(self, calls: list[GroupedCall]) -> None:
        self._awaited_count += len(calls)
        for call in calls:
            assert call.future is not None
            call.future.add_done_callback(self._leave)

    def _leave(self, future: asyncio.Future[Any]) -> None:
        """End the wait for the lock with its last call: an event loop that stands still would keep the lock."""
        if self._wait_task is not None and future.cancelled():
            self._awaited_count -= 1
            if not self._awaited_count:
                self._wait_task.cancel()

    async def _wait(self) -> None:
        """Wait for the write lock, in the place of all calls that wait."""
        count = len(self._waiting)
        try:
            await self._write_lock.acquire_async()
        except HonkerError as error:
            # Later calls have not waited for as long.
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            self._wait_task = None
            fail(group, error)
            self._end(group)
        except GeneratorExit:  # the event loop was closed before
            raise
        except BaseException:
            self._wait_task = None
            self._end([])  # The calls that wait were not cancelled, and begin again.
            raise
        else:
            self._wait_task = None
            self._commit()

    def _commit(self) -> None:
        """Commit a group, with the write lock held: here, or in a thread if that would have to wait."""
        group: list[GroupedCall] = []
        try:
            group, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            group = [call for call in group if call.is_awaited]
            if group:
                run_now(self._writer, group)
        except (DatabaseBusyError, TransactionLostError):
            self._commit_in_thread(group)
            return
        except Exception as error:
            fail(group, error)
        except BaseException as error:
            # It ends the event loop. Its tasks get an error that they can handle.
            text = f"{type(error).__name__} interrupted the commit of this call, which may have taken effect"
            fail(group, InterruptedStatementError(text))
            self._write_lock.release()
            self._end(group)
            raise
        self._write_lock.release()
        try:
            self._end(group)
        except BaseException:  # an interrupt; the rest of the calls are answered
            self._end(group)
            raise

    def _commit_in_thread(self, group: list[GroupedCall]) -> None:
        """Commit a group in a thread, which releases the write lock whatever happens to the event loop."""
        self._write_lock.hand_to_thread()
        if not threading.main_thread().is_alive():  # False in functions of atexit, when no thread can be started
            self._work(group)
            self._end(group)
            return
        try:
            future = asyncio.get_running_loop().run_in_executor(None, self._work, group)
        except BaseException as error:
            self._write_lock.release()
            fail(group, error)
            self._end(group)
        else:
            future.add_done_callback(lambda _: self._end(group))

    def _work(self, group: list[GroupedCall]) -> None:
        try:
            run_waiting(self._writer, group)
        except BaseException as error:
            fail(group, error)
        finally:
            self._write_lock.release()

    def _end(self, group: list[GroupedCall]) -> None:
        """Answer the calls of a group, and begin the next one once their tasks have had a turn."""
        for call in group:
            call.resolve()
        self._is_crowded = len(group) > 1
        self._is_busy = bool(self._waiting)
        if self._is_busy:
            asyncio.get_running_loop().call_soon(self._begin)
