"""The turn to write: fair to threads and tasks, an error for its own holder, never lost with a waiter."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest
from honker import DatabaseBusyError, NestedTransactionError
from honker import turn as turns
from honker.turn import Turn, _Waiter, current_task

from ..support.waiting import until, wait_until


@pytest.fixture
def turn():
    return Turn()


@pytest.fixture
def threads():
    """Run functions in threads; the turn must reach all of them before the test ends."""
    with ThreadPoolExecutor(max_workers=8) as executor:
        yield executor


@pytest.fixture
def impatient(monkeypatch):
    """Shorten a wait of a minute, for tests in which it must be reported, or must not happen."""
    monkeypatch.setattr(turns, "TURN_TIMEOUT_S", 0.2)


def waiting(turn):
    return len(turn._waiters)


def held_elsewhere(turn, threads):
    """Let another thread take the turn. Returns the function that makes it release the turn."""
    has_it, may_go = threading.Event(), threading.Event()

    def hold():
        turn.take()
        has_it.set()
        may_go.wait()
        turn.give()

    ended = threads.submit(hold)
    has_it.wait()

    def give():
        may_go.set()
        ended.result()

    return give


async def take_and_note(turn, order, name):
    await turn.take_async()
    order.append(name)
    turn.give()


# ------------------------------------------------------------------------------------------------------- taking, giving


def test_a_free_turn_is_taken_at_once(turn):
    turn.take()
    assert turn.is_mine
    turn.give()
    assert not turn.is_mine
    assert turn.take_now()


def test_a_turn_that_is_held_is_not_taken_now(turn, threads):
    give = held_elsewhere(turn, threads)
    assert not turn.take_now()
    assert not turn.is_mine
    give()
    assert turn.take_now()


def test_a_task_takes_a_free_turn_at_once(turn):
    asyncio.run(turn.take_async())
    assert not turn.take_now()


def test_the_turn_may_be_given_by_another_thread(turn, threads):
    turn.take()
    threads.submit(turn.give).result()
    assert turn.take_now()


def test_there_is_no_task_outside_an_event_loop():
    assert current_task() is None


# ------------------------------------------------------------------------------------------------------------- fairness


def test_threads_get_the_turn_in_the_order_they_came(turn, threads):
    turn.take()
    order = []

    def work(name):
        turn.take()
        order.append(name)
        turn.give()

    for name in range(5):
        threads.submit(work, name)
        wait_until(lambda expected=name + 1: waiting(turn) == expected)
    turn.give()
    wait_until(lambda: len(order) == 5)
    assert order == [0, 1, 2, 3, 4]


def test_threads_and_tasks_stand_in_one_queue(turn, threads):
    order = []
    give = held_elsewhere(turn, threads)

    def work(name):
        turn.take()
        order.append(name)
        turn.give()

    async def main():
        tasks = []
        for number in range(3):
            tasks.append(asyncio.create_task(take_and_note(turn, order, f"task {number}")))
            await until(lambda expected=2 * number + 1: waiting(turn) == expected)
            threads.submit(work, f"thread {number}")
            await until(lambda expected=2 * number + 2: waiting(turn) == expected)
        await asyncio.to_thread(give)
        await asyncio.gather(*tasks)
        await until(lambda: len(order) == 6)

    asyncio.run(main())
    assert order == ["task 0", "thread 0", "task 1", "thread 1", "task 2", "thread 2"]


def test_who_comes_later_does_not_overtake(turn, threads):
    turn.take()
    first = threads.submit(turn.take)
    wait_until(lambda: waiting(turn) == 1)
    turn.give()
    assert not turn.take_now()  # passed on, and not available to others, even before the waiter has woken up
    first.result()


def test_a_waiting_task_does_not_block_the_event_loop(turn, threads):
    give = held_elsewhere(turn, threads)

    async def main():
        task = asyncio.create_task(turn.take_async())
        await until(lambda: waiting(turn) == 1)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not task.done()
        await asyncio.to_thread(give)
        await task

    asyncio.run(main())


# -------------------------------------------------------------------------------------------------------------- nesting


def test_a_thread_that_holds_the_turn_is_told_so_instead_of_waiting(turn):
    turn.take()
    with pytest.raises(NestedTransactionError, match=r"nested db\.transaction\(\) is not supported"):
        turn.take()
    assert turn.is_mine
    turn.give()
    assert turn.take_now()


def test_a_task_that_holds_the_turn_is_told_so_instead_of_waiting(turn):
    async def main():
        await turn.take_async()
        with pytest.raises(NestedTransactionError, match=r"nested db\.transaction\(\) is not supported: this task"):
            await turn.take_async()
        turn.give()

    asyncio.run(main())
    assert turn.take_now()


def test_a_task_that_took_the_turn_by_blocking_is_nested_too(turn):
    async def main():
        turn.take()
        with pytest.raises(NestedTransactionError):
            await turn.take_async()
        turn.give()

    asyncio.run(main())


def test_another_task_of_the_same_thread_waits(turn):
    order = []

    async def main():
        await turn.take_async()
        other = asyncio.create_task(take_and_note(turn, order, "other"))
        await until(lambda: waiting(turn) == 1)
        order.append("holder")
        turn.give()
        await other

    asyncio.run(main())
    assert order == ["holder", "other"]


def test_blocking_a_thread_whose_suspended_task_holds_the_turn_is_refused(turn):
    async def main():
        holder = asyncio.create_task(turn.take_async())
        await holder
        with pytest.raises(NestedTransactionError):
            turn.take()  # would block the loop that the holder needs to continue
        turn.give()

    asyncio.run(main())


@pytest.mark.usefixtures("impatient")
def test_a_loop_inside_a_thread_that_holds_the_turn_is_nested(turn):
    turn.take()
    with pytest.raises(NestedTransactionError):  # the thread cannot release the turn before the loop has ended
        asyncio.run(turn.take_async())
    turn.give()


# ---------------------------------------------------------------------------------------------------- cancelled waiters


def test_a_cancelled_task_gives_up_its_place(turn, threads):
    order = []
    give = held_elsewhere(turn, threads)

    async def main():
        cancelled = asyncio.create_task(take_and_note(turn, order, "cancelled"))
        await until(lambda: waiting(turn) == 1)
        patient = asyncio.create_task(take_and_note(turn, order, "patient"))
        await until(lambda: waiting(turn) == 2)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert waiting(turn) == 1
        await asyncio.to_thread(give)
        await patient

    asyncio.run(main())
    assert order == ["patient"]
    assert turn.take_now()


def test_a_turn_that_comes_as_its_task_is_cancelled_goes_on_to_the_next(turn, threads):
    give = held_elsewhere(turn, threads)

    async def main():
        cancelled = asyncio.create_task(turn.take_async())
        await until(lambda: waiting(turn) == 1)
        next_thread = threads.submit(turn.take)
        await until(lambda: waiting(turn) == 2)
        give()
        cancelled.cancel()  # granted, but the task has not run since
        with contextlib.suppress(asyncio.CancelledError):
            await cancelled
        is_cancelled = cancelled.cancelled()
        if not is_cancelled:
            turn.give()
        await asyncio.to_thread(next_thread.result)
        assert is_cancelled, "the cancellation was swallowed"

    asyncio.run(main())


@contextlib.contextmanager
def orphan(turn):
    """A task that waits for the turn, and whose event loop is closed meanwhile."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(turn.take_async())
    task._log_destroy_pending = False
    try:
        loop.run_until_complete(asyncio.sleep(0))
        assert waiting(turn) == 1
    finally:
        loop.close()
    yield


def test_a_turn_for_a_task_whose_loop_is_closed_goes_on_to_the_next(turn, threads):
    give = held_elsewhere(turn, threads)
    with orphan(turn):
        next_thread = threads.submit(turn.take)
        wait_until(lambda: waiting(turn) == 2)
        give()
        next_thread.result(timeout=10)
        assert not turn.take_now()


def test_a_turn_that_only_a_closed_loop_waits_for_is_free(turn, threads):
    give = held_elsewhere(turn, threads)
    with orphan(turn):
        give()
        assert turn.take_now()


@pytest.mark.usefixtures("impatient")
def test_a_thread_is_told_when_the_turn_does_not_come(turn, threads):
    give = held_elsewhere(turn, threads)
    with pytest.raises(DatabaseBusyError, match="database is locked"):
        turn.take()
    assert waiting(turn) == 0
    give()
    assert turn.take_now()


@pytest.mark.usefixtures("impatient")
def test_a_task_is_told_when_the_turn_does_not_come(turn, threads):
    give = held_elsewhere(turn, threads)
    with pytest.raises(DatabaseBusyError, match="database is locked"):
        asyncio.run(turn.take_async())
    assert waiting(turn) == 0
    give()
    assert turn.take_now()


def test_a_crowd_of_threads_and_tasks_never_holds_the_turn_twice(turn, threads):
    inside, most = 0, 0

    def enter():
        nonlocal inside, most
        inside += 1
        most = max(most, inside)

    def leave():
        nonlocal inside
        inside -= 1
        turn.give()

    def thread():
        for _ in range(200):
            turn.take()
            enter()
            time.sleep(0)  # lets other threads run
            leave()

    async def task():
        for _ in range(100):
            await turn.take_async()
            enter()
            try:
                await asyncio.sleep(0)
            finally:
                leave()

    async def main():
        working = [threads.submit(thread) for _ in range(4)]
        cancelled = [asyncio.create_task(task()) for _ in range(10)]
        tasks = [asyncio.create_task(task()) for _ in range(4)]
        await until(lambda: waiting(turn) > 8)
        for number in range(10):
            cancelled[number].cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*cancelled, return_exceptions=True)
        await asyncio.gather(*tasks)
        for future in working:
            await asyncio.to_thread(future.result)

    asyncio.run(main())
    assert most == 1
    assert turn.take_now()


# The garbage collector may find an unended transaction, and then releases its turn in any thread.


@pytest.mark.parametrize("way", ["thread", "task"])
def test_a_turn_that_is_given_while_somebody_queues_up_is_his(turn, monkeypatch, way):
    class Collecting(_Waiter):
        def __init__(self, holder):
            turn.give()
            super().__init__(holder)

    holder = threading.Thread(target=turn.take)
    holder.start()
    holder.join()
    monkeypatch.setattr(turns, "_Waiter", Collecting)
    monkeypatch.setattr(turns, "TURN_TIMEOUT_S", 5.0)
    if way == "thread":
        turn.take()
    else:
        asyncio.run(turn.take_async())
    assert turn._waiters == deque()
    turn.give()
    assert turn.take_now()


def test_a_turn_that_is_given_while_somebody_leaves_the_queue_goes_on(turn, threads, monkeypatch):
    """Its wait times out and it gets the turn in the same moment."""

    class Collecting(deque):
        def remove(self, waiter):
            turn.give()
            super().remove(waiter)

    threads.submit(turn.take).result()
    turn._waiters = Collecting()
    monkeypatch.setattr(turns, "TURN_TIMEOUT_S", 0.05)
    turn.take()
    turn.give()
    assert turn.take_now()
