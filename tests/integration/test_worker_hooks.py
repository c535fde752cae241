"""Start and stop hooks of workers."""

import asyncio
import contextvars
import threading

import honker
import pytest

from ..support.waiting import until, wait_until
from ..support.workers import live, run_for, working

POOL = contextvars.ContextVar("pool")


@pytest.fixture
def tasks():
    """The registry of this process, without hooks before and after."""
    registry = honker.registry()
    yield registry
    registry.on_start.clear()
    registry.on_stop.clear()


@pytest.fixture
def events(db, tasks):
    """The events of a task and of three hooks of each kind, one of which is a coroutine function."""
    events = []

    @db.task("q", name="work")
    def work():
        events.append("work")

    async def connect():
        await asyncio.sleep(0)
        events.append("connect")

    async def disconnect():
        await asyncio.sleep(0)
        events.append("disconnect")

    tasks.on_start += [lambda: events.append("load"), connect]
    tasks.on_stop += [lambda: events.append("unload"), disconnect]
    return events


def call(db):
    return db.queue("q").enqueue({"__honker_task__": {"task": "work", "args": [], "kwargs": {}}})


def test_hooks_are_called_before_the_first_claim_and_after_the_last_handler_in_reverse(db, events):
    call(db)
    asyncio.run(db.run_workers(burst=True))
    assert events == ["load", "connect", "work", "disconnect", "unload"]


def test_hooks_are_called_once_for_several_queues(db, events):
    @db.task("other")
    def other(): ...

    asyncio.run(db.run_workers(burst=True))
    assert events == ["load", "connect", "disconnect", "unload"]


def test_handlers_see_context_variables_of_start_hooks(db, tasks):
    @db.task("q")
    async def read():
        return POOL.get()

    @db.task("q")
    def read_in_thread():
        return POOL.get()

    tasks.on_start.append(lambda: POOL.set("pool"))
    assert run_for(db, read()) == "pool"
    assert run_for(db, read_in_thread()) == "pool"


@pytest.mark.parametrize("error", [ConnectionError("no broker"), SystemExit("no broker")])
def test_a_start_hook_that_fails_ends_the_worker_before_it_claims(db, events, tasks, error):
    def fail():
        raise error

    tasks.on_start.insert(1, fail)
    call(db)
    with pytest.raises(honker.errors.StartHookError, match=r"start hook .*fail failed: no broker") as caught:
        asyncio.run(db.run_workers())
    assert caught.value.__cause__ is error
    assert events == ["load", "disconnect", "unload"], "stop hooks are called in any case"
    assert live(db.path) == [("pending", 0, None)]


def test_a_stop_hook_that_fails_is_logged_and_the_others_are_called(db, events, tasks, caplog):
    def fail():
        raise ConnectionError("no broker")

    tasks.on_stop.insert(1, fail)
    asyncio.run(db.run_workers(burst=True))
    assert events == ["load", "connect", "disconnect", "unload"]
    (record,) = [each for each in caplog.records if "stop hook" in each.message]
    assert record.exc_info[1].args == ("no broker",)


def test_stop_hooks_are_called_after_a_cancellation(db, events):
    async def main():
        running = asyncio.ensure_future(db.run_workers())
        await until(lambda: "connect" in events)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled()

    assert asyncio.run(main())
    assert events == ["load", "connect", "disconnect", "unload"]


def test_a_cancellation_within_a_stop_hook_leaves_the_others(db, events, tasks):
    begun = []

    async def hang():
        begun.append(1)
        await asyncio.Event().wait()

    tasks.on_stop.append(hang)

    async def main():
        running = asyncio.ensure_future(db.run_workers(burst=True))
        await until(lambda: begun)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled()

    assert asyncio.run(main())
    assert events == ["load", "connect", "disconnect", "unload"]


def test_a_stop_during_a_start_hook_claims_nothing(db, events, tasks):
    call(db)

    async def main():
        stop = asyncio.Event()
        tasks.on_start.append(stop.set)
        await asyncio.wait_for(db.run_workers(stop_event=stop), 10)

    asyncio.run(main())
    assert events == ["load", "connect", "disconnect", "unload"]
    assert live(db.path) == [("pending", 0, None)]


def test_a_single_worker_calls_no_hooks(db, events):
    call(db)
    asyncio.run(honker.Worker(db.queue("q"), burst=True).run())
    assert events == ["work"]


def test_the_registry_of_a_worker_is_that_of_its_hooks(db):
    """`working` uses the registry of the process, which has no hooks here."""
    own, events = honker.TaskRegistry(), []
    own.on_start.append(lambda: events.append("own"))
    own.register(honker.TaskSpec("own", print, "q"))

    async def main():
        async with working(db, registry_=own):
            pass

    asyncio.run(main())
    assert events == ["own"]


async def hang():
    await asyncio.Event().wait()


def test_a_stop_hook_that_hangs_is_cancelled_after_the_grace_and_the_others_are_called(db, events, tasks, caplog):
    tasks.on_stop.insert(1, hang)
    asyncio.run(asyncio.wait_for(db.run_workers(burst=True, grace_s=0.1), 10))
    assert events == ["load", "connect", "disconnect", "unload"]
    (record,) = [each for each in caplog.records if "stop hook" in each.message]
    assert record.levelname == "ERROR"
    assert "test_worker_hooks.hang has not ended" in record.message


def test_a_timeout_within_a_stop_hook_is_its_failure(db, events, tasks, caplog):
    async def fail():
        await asyncio.wait_for(hang(), 0.01)

    tasks.on_stop.insert(1, fail)
    asyncio.run(db.run_workers(burst=True))
    assert events == ["load", "connect", "disconnect", "unload"]
    assert [each.exc_info[0] for each in caplog.records if "stop hook" in each.message] == [TimeoutError]


def test_a_stop_hook_that_blocks_the_event_loop_is_logged(db, events, tasks, caplog, monkeypatch):
    monkeypatch.setattr("honker.worker.hooks._LEAST_S", 0.01)
    monkeypatch.setattr("honker.worker.hooks._CLEAN_UP_S", 0.01)

    def block():
        wait_until(lambda: "blocks the event loop" in caplog.text)

    tasks.on_stop.insert(1, block)
    asyncio.run(db.run_workers(burst=True, grace_s=0))
    assert f"{block.__qualname__} blocks the event loop" in caplog.text
    assert events == ["load", "connect", "disconnect", "unload"]


def test_a_start_hook_that_hangs_is_cancelled_a_grace_after_the_stop(db, events, tasks):
    call(db)
    tasks.on_start.insert(1, hang)

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(db.run_workers(stop_event=stop, grace_s=0.1))
        await until(lambda: events == ["load"])
        stop.set()
        await asyncio.wait_for(running, 10)

    with pytest.raises(honker.errors.StartHookError, match=r"start hook .*hang has not ended 0.1 s after the stop"):
        asyncio.run(main())
    assert events == ["load", "disconnect", "unload"]
    assert live(db.path) == [("pending", 0, None)]


@pytest.fixture
def blocked(tasks):
    """A plain start hook that blocks: the events that tell its begin and let it end."""
    begun, released = threading.Event(), threading.Event()

    def block():
        begun.set()
        released.wait(20)

    tasks.on_start.append(block)
    yield begun, released
    released.set()


def test_a_plain_start_hook_that_blocks_leaves_the_event_loop_free(db, events, blocked):
    begun, released = blocked
    call(db)

    async def main():
        running = asyncio.ensure_future(db.run_workers(burst=True))
        await until(begun.is_set)
        # The hook waits for this coroutine: on the event loop, it would wait for ever.
        assert not running.done()
        released.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(main())
    assert events == ["load", "connect", "work", "disconnect", "unload"]


def test_a_plain_start_hook_that_blocks_is_given_up_a_grace_after_the_stop(db, events, blocked):
    begun, _ = blocked
    call(db)

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(db.run_workers(stop_event=stop, grace_s=0.1))
        await until(begun.is_set)
        stop.set()
        await asyncio.wait_for(running, 10)

    with pytest.raises(honker.errors.StartHookError, match=r"block has not ended 0.1 s after the stop"):
        asyncio.run(main())
    assert events == ["load", "connect", "disconnect", "unload"]
    assert live(db.path) == [("pending", 0, None)]


def test_a_plain_start_hook_may_return_a_coroutine(db, events, tasks):
    async def connect():
        events.append(asyncio.get_running_loop() is not None)

    def begin():
        return connect()

    tasks.on_start.insert(0, begin)
    asyncio.run(db.run_workers(burst=True))
    assert events[0] is True


def test_a_plain_start_hook_that_needs_the_event_loop_is_told_so(db, tasks):
    @db.task("q")
    def work(): ...

    tasks.on_start.append(asyncio.get_running_loop)
    with pytest.raises(honker.errors.StartHookError, match="declare this one by `async def`"):
        asyncio.run(db.run_workers(burst=True))
