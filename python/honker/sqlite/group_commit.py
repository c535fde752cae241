"""Writes of the coroutines of one event loop that share commits."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import Any, Final, TypeAlias

from honker.arguments import Call
from honker.engine import Element
from honker.errors import DatabaseBusyError, HonkerError, InterruptedStatementError
from honker.sqlite.call_group import GroupedCall, TransactionLostError, fail, run_now, run_waiting
from honker.sqlite.connection import Connection
from honker.sqlite.held_elsewhere import endless_wait
from honker.sqlite.write_lock import Task, WriteLock, current_task

#: Calls that share a commit at most; it bounds the time for which a group keeps the event loop.
_AT_ONCE: Final = 500
#: Commits in a row of one task that does nothing else, until others have a turn.
_IN_A_ROW: Final = 64

#: A call, and the future that its caller awaits.
_Member: TypeAlias = "tuple[asyncio.Future[Any], GroupedCall]"


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
        self._waiting: list[_Member] = []
        # True from the first call of a group until the end of its commit.
        self._is_busy = False
        # True after a group of several calls.
        self._is_crowded = False
        # The task that has committed alone in this iteration of the loop.
        self._alone: Task | None = None
        self._wait_task: Task | None = None  # kept, because the event loop does not keep it
        self._left = 0

    async def call(
        self,
        loop: asyncio.AbstractEventLoop,
        one: Call,
        many: Call | None = None,
        element: Element | None = None,
    ) -> Any:
        """Make a call and return its answer after its commit; see `honker.engine.Engine.acall` and `aadd`.

        Args:
            loop: The running event loop.
            one: The call.
            many: The call that adds several of its kind.
            element: Its element in ``many``.
        """
        if not self._is_busy and not self._is_crowded and self._may_be_alone(loop) and self._write_lock.acquire_now():
            return await self._call_alone(loop, GroupedCall(one, None, None))
        if self._write_lock.holder is not None and self._is_held_by_caller():
            await self._write_lock.acquire_async()  # raises the error
        if endless_wait(self._writer.real_path, is_blocking=False) is not None:
            return await self._call_apart(one)
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((future, GroupedCall(one, many, element)))
        if not self._is_busy:
            self._is_busy = True
            loop.call_soon(self._begin)
        return await future

    def _is_held_by_caller(self) -> bool:
        """True if the task that runs, or the blocking code that runs this event loop, holds the write lock."""
        holder = self._write_lock.holder
        if holder is None or holder.thread_id != threading.get_ident():
            return False
        return holder.task is None or holder.task is current_task()

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

    async def _call_alone(self, loop: asyncio.AbstractEventLoop, call: GroupedCall) -> Any:
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
            return call.answer
        future: asyncio.Future[Any] = loop.create_future()
        self._is_busy = True
        self._commit_in_thread([(future, call)])
        return await future

    async def _call_apart(self, one: Call) -> Any:
        """Make a call whose task holds the lock of the file on another connection: it fails if it has to wait."""
        await self._write_lock.acquire_async()
        try:
            call = GroupedCall(one, None, None)
            self._writer.make_ready()
            self._writer.fail_when_busy()
            return self._writer.scalar(call.one[0], call.one[1:])
        except DatabaseBusyError:
            self._writer.check_wait(is_blocking=False)
            raise
        finally:
            self._write_lock.release()

    # Together

    def _begin(self) -> None:
        """Commit the calls that wait, or wait for the write lock."""
        self._waiting = [(future, call) for future, call in self._waiting if not future.done()]
        if not self._waiting:
            self._is_busy = False
        elif self._write_lock.acquire_now():
            self._commit()
        else:
            self._wait_task = asyncio.get_running_loop().create_task(self._wait(), name="honker writes")

    async def _wait(self) -> None:
        """Wait for the write lock, in the place of all calls that wait."""
        count = len(self._waiting)
        try:
            await self._write_lock.acquire_async()
        except HonkerError as error:
            # Later calls have not waited for as long.
            group, self._waiting = self._waiting[:count], self._waiting[count:]
            fail([call for _, call in group], error)
            self._end(group)
        except BaseException:
            self._end([])  # The calls that wait were not cancelled, and begin again.
            raise
        else:
            self._commit()

    def _commit(self) -> None:
        """Commit a group, with the write lock held: here, or in a thread if that would have to wait."""
        group, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        group = [(future, call) for future, call in group if not future.done()]
        calls = [call for _, call in group]
        try:
            if calls:
                run_now(self._writer, calls)
        except (DatabaseBusyError, TransactionLostError):
            self._commit_in_thread(group)
            return
        except Exception as error:
            fail(calls, error)
        except BaseException as error:
            # It ends the event loop. Its tasks get an error that they can handle.
            fail(
                calls,
                InterruptedStatementError(
                    f"{type(error).__name__} interrupted the commit of this call, which may have taken effect"
                ),
            )
            self._write_lock.release()
            self._end(group)
            raise
        self._write_lock.release()
        self._end(group)

    def _commit_in_thread(self, group: list[_Member]) -> None:
        """Commit a group in a thread, which releases the write lock whatever happens to the event loop."""
        calls = [call for _, call in group]
        self._write_lock.hand_to_thread()
        if not threading.main_thread().is_alive():  # False in functions of atexit, when no thread can be started
            self._work(calls)
            self._end(group)
            return
        try:
            future = asyncio.get_running_loop().run_in_executor(None, self._work, calls)
        except BaseException as error:
            self._write_lock.release()
            fail(calls, error)
            self._end(group)
        else:
            future.add_done_callback(lambda _: self._end(group))

    def _work(self, calls: list[GroupedCall]) -> None:
        try:
            run_waiting(self._writer, calls)
        except BaseException as error:
            fail(calls, error)
        finally:
            self._write_lock.release()

    def _end(self, group: list[_Member]) -> None:
        """Answer the calls of a group, and begin the next one once their tasks have had a turn."""
        for future, call in group:
            if future.done():  # cancelled
                continue
            if call.error is None:
                future.set_result(call.answer)
            else:
                future.set_exception(call.error)
        self._is_crowded = len(group) > 1
        self._is_busy = bool(self._waiting)
        if self._is_busy:
            asyncio.get_running_loop().call_soon(self._begin)
