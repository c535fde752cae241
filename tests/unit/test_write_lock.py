"""The write_lock to write: fair to threads and tasks alike, refused to its own holder, never lost with a waiter."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from honker import BlockingCallError, DatabaseBusyError, NestedTransactionError
from honker.sqlite import write_lock as write_locks
from honker.sqlite.write_lock import WriteLock, _Waiter, current_task

from ..support.waiting import until, wait_until


@pytest.fixture
def write_lock():
    return WriteLock()


@pytest.fixture
def threads():
    """Runs functions in threads; the write_lock must reach all of them before the test ends."""
    with ThreadPoolExecutor(max_workers=8) as executor:
        yield executor


@pytest.fixture
def impatient(monkeypatch):
    """A wait that would last a minute is over soon: for tests in which it must be reported, or must not happen."""
    monkeypatch.setattr(write_locks, "WRITE_LOCK_TIMEOUT_S", 0.2)


def waiting(write_lock):
    return len(write_lock._waiters)


def held_elsewhere(write_lock, threads):
    """Lets another thread take the write_lock; rewrite_locks the function that makes it give it back."""
    has_it, may_go = threading.Event(), threading.Event()

    def hold():
        write_lock.acquire()
        has_it.set()
        may_go.wait()
        write_lock.release()

    ended = threads.submit(hold)
    has_it.wait()

    def give():
        may_go.set()
        ended.result()

    return give


async def take_and_note(write_lock, order, name):
    await write_lock.acquire_async()
    order.append(name)
    write_lock.release()


# ------------------------------------------------------------------------------------------------------ taking, giving


def test_a_free_turn_is_taken_at_once(write_lock):
    write_lock.acquire()
    assert write_lock.is_held_here
    write_lock.release()
    assert not write_lock.is_held_here
    assert write_lock.acquire_now()


def test_a_turn_that_is_held_is_not_taken_now(write_lock, threads):
    give = held_elsewhere(write_lock, threads)
    assert not write_lock.acquire_now()
    assert not write_lock.is_held_here
    give()
    assert write_lock.acquire_now()


def test_a_task_takes_a_free_turn_at_once(write_lock):
    asyncio.run(write_lock.acquire_async())
    assert not write_lock.acquire_now()


def test_the_turn_may_be_given_by_another_thread(write_lock, threads):
    write_lock.acquire()
    threads.submit(write_lock.release).result()
    assert write_lock.acquire_now()


def test_there_is_no_task_outside_an_event_loop():
    assert current_task() is None


# ------------------------------------------------------------------------------------------------------------ fairness


def test_threads_get_the_turn_in_the_order_they_came(write_lock, threads):
    write_lock.acquire()
    order = []

    def work(name):
        write_lock.acquire()
        order.append(name)
        write_lock.release()

    for name in range(5):
        threads.submit(work, name)
        wait_until(lambda expected=name + 1: waiting(write_lock) == expected)
    write_lock.release()
    wait_until(lambda: len(order) == 5)
    assert order == [0, 1, 2, 3, 4]


def test_threads_and_tasks_stand_in_one_queue(write_lock, threads):
    order = []
    give = held_elsewhere(write_lock, threads)

    def work(name):
        write_lock.acquire()
        order.append(name)
        write_lock.release()

    async def main():
        tasks = []
        for number in range(3):
            tasks.append(asyncio.create_task(take_and_note(write_lock, order, f"task {number}")))
            await until(lambda expected=2 * number + 1: waiting(write_lock) == expected)
            threads.submit(work, f"thread {number}")
            await until(lambda expected=2 * number + 2: waiting(write_lock) == expected)
        await asyncio.to_thread(give)
        await asyncio.gather(*tasks)
        await until(lambda: len(order) == 6)

    asyncio.run(main())
    assert order == ["task 0", "thread 0", "task 1", "thread 1", "task 2", "thread 2"]


def test_who_comes_later_does_not_overtake(write_lock, threads):
    write_lock.acquire()
    first = threads.submit(write_lock.acquire)
    wait_until(lambda: waiting(write_lock) == 1)
    write_lock.release()
    assert not write_lock.acquire_now()  # passed on, not up for grabs, even before the waiter has woken up
    first.result()


def test_a_waiting_task_does_not_block_the_event_loop(write_lock, threads):
    give = held_elsewhere(write_lock, threads)

    async def main():
        task = asyncio.create_task(write_lock.acquire_async())
        await until(lambda: waiting(write_lock) == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        await asyncio.to_thread(give)
        await task

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------- nesting


def test_a_thread_that_holds_the_turn_is_told_so_instead_of_waiting(write_lock):
    write_lock.acquire()
    with pytest.raises(NestedTransactionError, match=r"nested db\.transaction\(\) is not supported"):
        write_lock.acquire()
    assert write_lock.is_held_here
    write_lock.release()
    assert write_lock.acquire_now()


def test_a_task_that_holds_the_turn_is_told_so_instead_of_waiting(write_lock):
    async def main():
        await write_lock.acquire_async()
        with pytest.raises(NestedTransactionError, match=r"nested db\.transaction\(\) is not supported: this task"):
            await write_lock.acquire_async()
        write_lock.release()

    asyncio.run(main())
    assert write_lock.acquire_now()


def test_a_task_that_took_the_turn_by_blocking_is_nested_too(write_lock):
    async def main():
        write_lock.acquire()
        with pytest.raises(NestedTransactionError):
            await write_lock.acquire_async()
        write_lock.release()

    asyncio.run(main())


def test_another_task_of_the_same_thread_waits(write_lock):
    order = []

    async def main():
        await write_lock.acquire_async()
        other = asyncio.create_task(take_and_note(write_lock, order, "other"))
        await until(lambda: waiting(write_lock) == 1)
        order.append("holder")
        write_lock.release()
        await other

    asyncio.run(main())
    assert order == ["holder", "other"]


def test_blocking_a_thread_whose_suspended_task_holds_the_turn_is_refused(write_lock):
    async def main():
        holder = asyncio.create_task(write_lock.acquire_async())
        await holder
        with pytest.raises(NestedTransactionError):
            write_lock.acquire()  # would block the loop that the holder needs to go on
        write_lock.release()

    asyncio.run(main())


@pytest.mark.usefixtures("impatient")
def test_a_loop_inside_a_thread_that_holds_the_turn_is_nested(write_lock):
    write_lock.acquire()
    with pytest.raises(NestedTransactionError):  # the thread cannot give the write_lock before the loop has ended
        asyncio.run(write_lock.acquire_async())
    write_lock.release()


# ------------------------------------------------------------------------------------------------- waiters that go away


def test_a_cancelled_task_gives_up_its_place(write_lock, threads):
    order = []
    give = held_elsewhere(write_lock, threads)

    async def main():
        cancelled = asyncio.create_task(take_and_note(write_lock, order, "cancelled"))
        await until(lambda: waiting(write_lock) == 1)
        patient = asyncio.create_task(take_and_note(write_lock, order, "patient"))
        await until(lambda: waiting(write_lock) == 2)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert waiting(write_lock) == 1
        await asyncio.to_thread(give)
        await patient

    asyncio.run(main())
    assert order == ["patient"]
    assert write_lock.acquire_now()


def test_a_turn_that_comes_as_its_task_is_cancelled_goes_on_to_the_next(write_lock, threads):
    give = held_elsewhere(write_lock, threads)

    async def main():
        cancelled = asyncio.create_task(write_lock.acquire_async())
        await until(lambda: waiting(write_lock) == 1)
        next_thread = threads.submit(write_lock.acquire)
        await until(lambda: waiting(write_lock) == 2)
        give()
        cancelled.cancel()  # granted, but the task has not run since
        with contextlib.suppress(asyncio.CancelledError):
            await cancelled
        is_cancelled = cancelled.cancelled()
        if not is_cancelled:
            write_lock.release()
        await asyncio.to_thread(next_thread.result)
        assert is_cancelled, "the cancellation was swallowed"

    asyncio.run(main())


@contextlib.contextmanager
def orphan(write_lock):
    """A task that waits for the write_lock and whose event loop is closed under it."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(write_lock.acquire_async())
    task._log_destroy_pending = False
    try:
        loop.run_until_complete(asyncio.sleep(0))
        assert waiting(write_lock) == 1
    finally:
        loop.close()
    yield


def test_a_turn_for_a_task_whose_loop_is_closed_goes_on_to_the_next(write_lock, threads):
    give = held_elsewhere(write_lock, threads)
    with orphan(write_lock):
        next_thread = threads.submit(write_lock.acquire)
        wait_until(lambda: waiting(write_lock) == 2)
        give()
        next_thread.result(timeout=10)
        assert not write_lock.acquire_now()


def test_a_turn_that_only_a_closed_loop_waits_for_is_free(write_lock, threads):
    give = held_elsewhere(write_lock, threads)
    with orphan(write_lock):
        give()
        assert write_lock.acquire_now()


@pytest.mark.usefixtures("impatient")
def test_a_thread_is_told_when_the_turn_does_not_come(write_lock, threads):
    give = held_elsewhere(write_lock, threads)
    with pytest.raises(DatabaseBusyError, match="database is locked"):
        write_lock.acquire()
    assert waiting(write_lock) == 0
    give()
    assert write_lock.acquire_now()


@pytest.mark.usefixtures("impatient")
def test_a_task_is_told_when_the_turn_does_not_come(write_lock, threads):
    give = held_elsewhere(write_lock, threads)
    with pytest.raises(DatabaseBusyError, match="database is locked"):
        asyncio.run(write_lock.acquire_async())
    assert waiting(write_lock) == 0
    give()
    assert write_lock.acquire_now()


def test_a_crowd_of_threads_and_tasks_never_holds_the_turn_twice(write_lock, threads):
    inside, most = 0, 0

    def enter():
        nonlocal inside, most
        inside += 1
        most = max(most, inside)

    def leave():
        nonlocal inside
        inside -= 1
        write_lock.release()

    def thread():
        for _ in range(200):
            write_lock.acquire()
            enter()
            time.sleep(0)  # lets others run
            leave()

    async def task():
        for _ in range(100):
            await write_lock.acquire_async()
            enter()
            try:
                await asyncio.sleep(0)
            finally:
                leave()

    async def main():
        working = [threads.submit(thread) for _ in range(4)]
        cancelled = [asyncio.create_task(task()) for _ in range(10)]
        tasks = [asyncio.create_task(task()) for _ in range(4)]
        await until(lambda: waiting(write_lock) > 8)
        for number in range(10):
            cancelled[number].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*cancelled, return_exceptions=True)
        await asyncio.gather(*tasks)
        for future in working:
            await asyncio.to_thread(future.result)

    asyncio.run(main())
    assert most == 1
    assert write_lock.acquire_now()


# The garbage collector may find an abandoned transaction anywhere, and then release its lock inside a method.


@pytest.mark.parametrize("way", ["thread", "task"])
def test_a_turn_that_is_given_while_somebody_queues_up_is_his(write_lock, monkeypatch, way):
    class Collecting(_Waiter):
        def __init__(self, holder):
            write_lock.release()
            super().__init__(holder)

    holder = threading.Thread(target=write_lock.acquire)
    holder.start()
    holder.join()
    monkeypatch.setattr(write_locks, "_Waiter", Collecting)
    monkeypatch.setattr(write_locks, "WRITE_LOCK_TIMEOUT_S", 5.0)
    if way == "thread":
        write_lock.acquire()
    else:
        asyncio.run(write_lock.acquire_async())
    assert write_lock._waiters == deque()
    write_lock.release()
    assert write_lock.acquire_now()


def test_a_turn_that_is_given_while_somebody_leaves_the_queue_goes_on(write_lock, threads, monkeypatch):
    """He leaves since he waited for too long, and gets it in that moment."""

    class Collecting(deque):
        def remove(self, waiter):
            write_lock.release()
            super().remove(waiter)

    threads.submit(write_lock.acquire).result()
    write_lock._waiters = Collecting()
    monkeypatch.setattr(write_locks, "WRITE_LOCK_TIMEOUT_S", 0.05)
    write_lock.acquire()
    write_lock.release()
    assert write_lock.acquire_now()


# ---------------------------------------------------------------------------------------- waits that could never end


@pytest.fixture
def hurried(monkeypatch):
    """One holder is waited for a moment only."""
    monkeypatch.setattr(write_locks, "HOLDER_TIMEOUT_S", 0.3)


def test_a_thread_that_its_holder_waits_for_is_told_who_holds_the_lock(write_lock, threads, hurried):
    write_lock.acquire()
    name = threading.current_thread().name
    with pytest.raises(DatabaseBusyError, match=rf"thread '{name}'.*held the transaction.*pass its transaction as tx="):
        threads.submit(write_lock.acquire).result(10)
    write_lock.release()
    assert write_lock.acquire_now()


def test_tasks_that_their_holder_gathers_are_told_who_holds_the_lock(write_lock, hurried):
    async def main():
        await write_lock.acquire_async()
        return await asyncio.gather(*(write_lock.acquire_async() for _ in range(2)), return_exceptions=True)

    for error in asyncio.run(main()):
        assert isinstance(error, DatabaseBusyError)
        assert "task 'Task-" in str(error)
        assert "main" in str(error)


def test_a_long_queue_of_short_holders_is_waited_for(write_lock, threads, hurried):
    """Each holds for a part of the time, all together for longer than one may."""

    def hold(seconds):
        write_lock.acquire()
        threading.Event().wait(seconds)
        write_lock.release()

    started = time.monotonic()
    for future in [threads.submit(hold, 0.15) for _ in range(6)]:
        future.result(10)
    assert time.monotonic() - started > 0.6


def test_a_blocking_call_beside_a_task_in_a_transaction_names_the_asynchronous_twin(write_lock):
    async def main():
        holder = asyncio.ensure_future(write_lock.acquire_async())
        holder.set_name("writer")
        await holder
        with pytest.raises(BlockingCallError, match=r"task 'writer'.*aenqueue for enqueue") as caught:
            write_lock.acquire()
        assert caught.value.is_retryable
        assert isinstance(caught.value, NestedTransactionError)
        loop, refused = asyncio.get_running_loop(), asyncio.Event()

        def outside_any_task():
            with pytest.raises(BlockingCallError):
                write_lock.acquire()
            refused.set()

        loop.call_soon(outside_any_task)
        await asyncio.wait_for(refused.wait(), 10)

    asyncio.run(main())


def test_a_blocking_call_of_the_holder_itself_is_nested(write_lock):
    async def main():
        await write_lock.acquire_async()
        with pytest.raises(NestedTransactionError, match="this task holds") as caught:
            write_lock.acquire()
        assert type(caught.value) is NestedTransactionError

    asyncio.run(main())
