"""Calls that the tasks of one event loop make at once share commits, and each gets its own answer or error."""

import asyncio
import gc
import json
import threading
import weakref
from contextlib import contextmanager

import honker
import pytest
from honker import (
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseError,
    DatabaseFullError,
    DatabaseReplacedError,
    HonkerError,
    InvalidArgumentError,
    NestedTransactionError,
)
from honker.sqlite import write_lock as write_locks
from honker.sqlite.call_group import GroupedCall
from honker.sqlite.group_commit import GroupCommit

from ..support.locking import ask, write_lock_elsewhere
from ..support.waiting import until

pytestmark = pytest.mark.sqlite_only("a server commits each call of a pool by itself")

BIG = "x" * 400_000


def payloads(path):
    return [json.loads(payload) for (payload,) in ask(path, "SELECT payload FROM _honker_live ORDER BY id")]


@contextmanager
def commits(db):
    """The COMMITs of groups; a call that is alone needs none."""
    seen = []
    raw = db.engine.current._writer.raw
    raw.set_trace_callback(lambda sql: seen.append(sql) if sql == "COMMIT" else None)
    yield seen
    raw.set_trace_callback(None)


@pytest.fixture(params=["NORMAL", "FULL"])
def level(path, request):
    """A database of each level of ``synchronous``."""
    with honker.open(path, synchronous=request.param) as opened:
        yield opened


async def settled(db):
    """Make commits until they run on the event loop, as the first ones of a connection do not."""
    while db.engine.is_commit_slow:
        await db.anotify("settled", 1)


async def outcomes(*calls):
    return await asyncio.gather(*calls, return_exceptions=True)


def waiting(db):
    """The number of calls that wait for a commit, on the running event loop."""
    group = db.engine.current._groups.get(asyncio.get_running_loop())
    return 0 if group is None else len(group._waiting)


def test_concurrent_calls_share_commits_and_ids_ascend_in_the_order_of_calls(level, path):
    queue = level.queue("q")
    with commits(level) as seen:
        ids = asyncio.run(outcomes(*(queue.aenqueue(n) for n in range(64))))
    assert ids == list(range(1, 65))
    assert payloads(path) == list(range(64))
    assert len(seen) == 1


def test_tasks_that_write_in_a_loop_share_commits_and_each_keeps_its_order(level, path):
    queue = level.queue("q")

    async def write(task):
        return [await queue.aenqueue([task, n]) for n in range(200)]

    async def main():
        return await asyncio.gather(*(write(task) for task in range(8)))

    with commits(level) as seen:
        ids = asyncio.run(main())
    assert sorted(job_id for each in ids for job_id in each) == list(range(1, 1_601))
    assert all(each == sorted(each) for each in ids)
    rows = payloads(path)
    assert [[rows[job_id - 1] for job_id in each] for each in ids] == [[[t, n] for n in range(200)] for t in range(8)]
    assert len(seen) < 300


def test_a_lone_call_is_committed_before_the_event_loop_has_a_turn(db, queue, path):
    async def main():
        await settled(db)
        with pytest.raises(StopIteration) as answer:
            queue.aenqueue("alone").send(None)
        assert ask(path, "SELECT id FROM _honker_live") == [(answer.value.value,)]

    asyncio.run(main())


def test_a_task_that_writes_without_end_gives_others_a_turn(db, queue):
    counts = []

    async def write():
        while not counts:
            await queue.aenqueue(1)
            written.append(1)

    async def count():
        counts.append(len(written))

    async def main():
        await settled(db)
        await asyncio.gather(write(), count())

    written = []
    asyncio.run(main())
    assert 0 < counts[0] <= 64


def test_calls_of_all_kinds_share_a_commit(level, path):
    queue, stream = level.queue("q"), level.stream("s")
    queue.enqueue("first")
    job = queue.claim_one("w")

    async def main():
        return await outcomes(
            level.anotify("c", 0),
            stream.apublish("e", key="k"),
            stream.apublish("f"),
            stream.apublish("g"),
            job.aack(),
            queue.asave_result(job.id, 42),
            queue.aenqueue("keyed", key="k"),
            queue.aenqueue("keyed too", key="l"),
            queue.aenqueue("late", delay=60),
            queue.aenqueue("later", delay=60),
            queue.aenqueue_many([1, 2]),
        )

    with commits(level) as seen:
        notified, *published, acked, saved, keyed, too, late, later, many = asyncio.run(main())
    assert len(seen) == 1
    assert notified > 0
    assert published == [1, 2, 3]
    assert (acked, saved) == (True, None)
    assert [keyed, too, late, later, *many] == list(range(2, 8))
    assert ask(path, "SELECT payload, key FROM _honker_live ORDER BY id LIMIT 2") == [
        ('"keyed"', "k"),
        ('"keyed too"', "l"),
    ]
    assert ask(path, "SELECT payload, key FROM _honker_stream") == [('"e"', "k"), ('"f"', None), ('"g"', None)]
    assert queue.get_result(job.id) == (True, 42)


def test_a_wrong_argument_fails_its_own_call_only(queue, path):
    calls = [queue.aenqueue(n, priority=2**60 if n == 3 else 0) for n in range(6)]
    calls.append(queue.aenqueue("key", key=""))
    answers = asyncio.run(outcomes(*calls))
    assert isinstance(answers[3], InvalidArgumentError)
    assert "priority" in str(answers[3])
    assert isinstance(answers[6], InvalidArgumentError)
    assert answers[:3] + answers[4:6] == [1, 2, 3, 4, 5]
    assert payloads(path) == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("effect", ["ABORT", "FAIL", "ROLLBACK"])
def test_a_trigger_that_refuses_one_job_fails_its_call_only(queue, path, effect):
    ask(
        path,
        "CREATE TRIGGER refuse BEFORE INSERT ON _honker_live WHEN NEW.payload = '3' "
        f"BEGIN SELECT raise({effect}, 'refused'); END",
    )
    answers = asyncio.run(outcomes(*(queue.aenqueue(n) for n in range(8))))
    assert isinstance(answers[3], DatabaseError)
    assert "refused" in str(answers[3])
    assert answers[:3] + answers[4:] == [1, 2, 3, 4, 5, 6, 7]
    assert payloads(path) == [0, 1, 2, 4, 5, 6, 7]


def test_a_commit_that_fails_fails_all_its_calls_with_errors_of_their_own(db, queue, path):
    ask(path, "CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    ask(path, "CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
    ask(
        path,
        "CREATE TRIGGER orphan AFTER INSERT ON _honker_live WHEN NEW.payload = '3' "
        "BEGIN INSERT INTO children VALUES (7); END",
    )
    answers = asyncio.run(outcomes(*(queue.aenqueue(n) for n in range(8))))
    assert answers[0] == 1  # alone, and before the others
    assert {type(answer) for answer in answers[1:]} == {type(answers[1])}
    assert isinstance(answers[1], DatabaseError)
    assert "FOREIGN KEY" in str(answers[1])
    assert len({id(answer) for answer in answers[1:]}) == 7
    assert payloads(path) == [0]
    ask(path, "DROP TRIGGER orphan")
    assert asyncio.run(outcomes(queue.aenqueue("a"), queue.aenqueue("b"))) == [2, 3]


def test_a_job_for_which_there_is_no_room_fails_its_own_call_only(db, queue, path):
    writer = db.engine.current._writer
    queue.enqueue("first")
    writer.scalar(f"PRAGMA max_page_count = {writer.scalar('PRAGMA page_count') + 40}")
    answers = asyncio.run(outcomes(*(queue.aenqueue(BIG if n == 5 else n) for n in range(10))))
    assert isinstance(answers[5], DatabaseFullError)
    assert [answer for answer in answers if not isinstance(answer, HonkerError)] == list(range(2, 11))
    assert payloads(path) == ["first", 0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_call_that_is_cancelled_while_it_waits_is_not_made_and_the_others_are(db, queue, path):
    async def main():
        async with db.transaction():
            calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(5)]
            await until(lambda: waiting(db) == 5)
            calls[2].cancel()
            await asyncio.sleep(0)
        return await outcomes(*calls)

    answers = asyncio.run(main())
    assert isinstance(answers[2], asyncio.CancelledError)
    assert answers[:2] + answers[3:] == [1, 2, 3, 4]
    assert payloads(path) == [0, 1, 3, 4]


def test_a_call_that_is_cancelled_during_its_commit_is_made_with_the_others(db, queue, path):
    async def main():
        with write_lock_elsewhere(path) as release:
            calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(5)]
            await until(lambda: db.engine.current._write_lock.holder is not None)
            await until(lambda: waiting(db) == 4)
            calls[0].cancel()
            await asyncio.sleep(0)
            release()
            return await outcomes(*calls)

    answers = asyncio.run(main())
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [2, 3, 4, 5]
    assert payloads(path) == [0, 1, 2, 3, 4]


def test_calls_wait_for_another_process_without_blocking_the_loop(db, queue, path):
    async def main():
        with write_lock_elsewhere(path) as release:
            calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(20)]
            await until(lambda: waiting(db) == 19)
            release()
            return await outcomes(*calls)

    assert asyncio.run(main()) == list(range(1, 21))


@pytest.mark.usefixtures("impatient")
def test_calls_that_wait_too_long_for_another_process_all_fail(db, queue, path):
    async def main():
        await settled(db)
        with write_lock_elsewhere(path):
            return await outcomes(*(queue.aenqueue(n) for n in range(5)))

    assert {type(answer) for answer in asyncio.run(main())} == {DatabaseBusyError}
    assert payloads(path) == []


def test_calls_that_wait_too_long_for_a_transaction_of_their_process_fail_and_later_ones_go_on(
    db, queue, path, monkeypatch
):
    monkeypatch.setattr(write_locks, "HOLDER_TIMEOUT_S", 1.0)

    async def main():
        async with db.transaction():
            early = [asyncio.create_task(queue.aenqueue(n)) for n in range(3)]
            await until(lambda: db.engine.current._write_lock._waiters)
            late = asyncio.create_task(queue.aenqueue("late"))
            await asyncio.wait(early)
            assert waiting(db) == 1
        return await outcomes(*early), await late

    early, late = asyncio.run(main())
    assert {type(answer) for answer in early} == {DatabaseBusyError}
    assert late == 1


def test_the_end_of_the_task_that_waits_for_the_lock_ends_no_call(db, queue):
    async def main():
        async with db.transaction():
            calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(3)]
            await until(lambda: waiting(db) == 3)
            for task in asyncio.all_tasks():
                if task.get_name() == "honker writes":
                    task.cancel()
            await asyncio.sleep(0)
        return await outcomes(*calls)

    assert asyncio.run(main()) == [1, 2, 3]


def test_a_call_inside_its_own_transaction_is_refused_also_while_others_wait(db, queue):
    async def main():
        async with db.transaction():
            other = asyncio.create_task(queue.aenqueue("other"))
            await until(lambda: waiting(db) == 1)
            with pytest.raises(NestedTransactionError, match="tx="):
                await queue.aenqueue("nested")
        return await other

    assert asyncio.run(main()) == 1


def test_calls_that_wait_when_the_database_is_closed_fail(db, queue):
    async def main():
        async with db.transaction():
            calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(3)]
            await until(lambda: waiting(db) == 3)
            db.close()
        return await outcomes(*calls)

    assert {type(answer) for answer in asyncio.run(main())} == {DatabaseClosedError}


def test_threads_transactions_and_two_event_loops_write_beside_groups(db, queue, path):
    async def write(n):
        for _ in range(n):
            await queue.aenqueue("async")

    async def in_transactions(n):
        for _ in range(n):
            async with db.transaction() as tx:
                queue.enqueue("tx", tx=tx)

    async def main():
        await asyncio.gather(*(write(50) for _ in range(8)), in_transactions(50))

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(2)]
    threads += [threading.Thread(target=lambda: [queue.enqueue("thread") for _ in range(50)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = payloads(path)
    assert {kind: rows.count(kind) for kind in set(rows)} == {"async": 800, "tx": 100, "thread": 100}


def test_an_interrupt_during_a_commit_leaves_the_lock_free_and_no_call_without_an_answer(db, queue, monkeypatch):
    module = GroupCommit.__module__

    def interrupted(*_):
        raise KeyboardInterrupt

    async def main():
        await settled(db)
        await outcomes(*(queue.aenqueue(n) for n in range(3)))
        monkeypatch.setattr(f"{module}.run_now", interrupted)
        calls.extend(asyncio.create_task(queue.aenqueue(n)) for n in range(3))
        await asyncio.wait(calls)

    calls = []
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    monkeypatch.undo()
    assert all(call.done() for call in calls)
    assert queue.enqueue("next") == 4


def test_calls_are_made_after_an_interrupt_if_their_event_loop_runs_again(db, queue, monkeypatch):
    write_lock = db.engine.current._write_lock
    calls = []

    def interrupted():
        monkeypatch.undo()
        raise KeyboardInterrupt

    async def begin():
        calls.extend(asyncio.create_task(queue.aenqueue(n)) for n in range(3))
        await asyncio.sleep(0)
        monkeypatch.setattr(write_lock, "acquire_now", interrupted)
        await asyncio.wait(calls)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(settled(db))
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(begin())
    assert loop.run_until_complete(asyncio.wait_for(asyncio.gather(*calls), 20)) == [1, 2, 3]
    loop.close()


def test_all_calls_of_a_commit_are_answered_after_an_interrupt(db, queue, monkeypatch):
    calls = []
    resolve = GroupedCall.resolve

    def interrupted(call):
        if call.answer == 2:
            monkeypatch.undo()
            raise KeyboardInterrupt
        resolve(call)

    async def main():
        calls.extend(asyncio.create_task(queue.aenqueue(n)) for n in range(4))
        monkeypatch.setattr(GroupedCall, "resolve", interrupted)
        await asyncio.wait(calls)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(settled(db))
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    assert loop.run_until_complete(asyncio.wait_for(asyncio.gather(*calls), 20)) == [1, 2, 3, 4]
    loop.close()


def test_an_event_loop_that_ends_while_calls_wait_leaves_no_task_behind(db, queue):
    async def main():
        calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(3)]
        await until(lambda: db.engine.current._write_lock._waiters)
        return calls

    with db.transaction(), pytest.raises(NestedTransactionError):
        asyncio.run(queue.aenqueue("blocked by the code that runs the loop"))
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        with db.transaction():
            is_held.set()
            may_end.wait()

    holding = threading.Thread(target=hold)
    holding.start()
    is_held.wait()
    calls = asyncio.run(main())
    may_end.set()
    holding.join()
    assert all(call.cancelled() for call in calls)
    assert queue.enqueue("next") == 1


def refuse_once(db, payload):
    """Refuse the first insert of a job, as a state of the connection may do."""
    raw, seen = db.engine.current._writer.raw, []

    def is_first():
        seen.append(1)
        return len(seen) == 1

    raw.create_function("is_first", 0, is_first)
    raw.execute(
        "CREATE TEMP TRIGGER refuse_once BEFORE INSERT ON main._honker_live "
        f"WHEN NEW.payload = '{payload}' AND is_first() BEGIN SELECT raise(ABORT, 'refused once'); END"
    )


def roll_back_at(db, payload):
    db.engine.current._writer.raw.execute(
        "CREATE TEMP TRIGGER roll_back BEFORE INSERT ON main._honker_live "
        f"WHEN NEW.payload = '{payload}' BEGIN SELECT raise(ROLLBACK, 'refused'); END"
    )


def test_a_call_that_is_made_at_its_second_try_does_not_raise_the_error_of_the_first(db, queue, path):
    async def main():
        await settled(db)
        return await outcomes(*(queue.aenqueue(n, priority=n) for n in range(8)))

    refuse_once(db, 3)
    roll_back_at(db, 5)
    answers = asyncio.run(main())
    assert isinstance(answers[5], DatabaseError)
    assert answers[:5] + answers[6:] == [1, 2, 3, 4, 5, 6, 7]
    assert payloads(path) == [0, 1, 2, 3, 4, 6, 7]


def test_calls_committed_alone_do_not_raise_the_error_of_a_later_call(db, queue, path, monkeypatch):
    writer = db.engine.current._writer
    make_ready, count = writer.make_ready, []

    def is_gone():
        count.append(1)
        if len(count) == 6:  # a statement alone, two groups, and three of their calls alone
            raise DatabaseReplacedError("database file replaced")
        make_ready()

    async def main():
        await settled(db)
        monkeypatch.setattr(writer, "make_ready", is_gone)
        return await outcomes(*(queue.aenqueue(n) for n in range(8)))

    roll_back_at(db, 5)
    answers = asyncio.run(main())
    failed = [n for n, answer in enumerate(answers) if isinstance(answer, HonkerError)]
    assert isinstance(answers[failed[0]], DatabaseReplacedError)
    assert failed == [failed[0], 5]
    assert payloads(path) == [n for n in range(8) if n not in failed]


@contextmanager
def transaction_in_thread(db):
    """A transaction of another thread; yields a function that ends it."""
    is_held, may_end = threading.Event(), threading.Event()

    def hold():
        with db.transaction():
            is_held.set()
            may_end.wait(20)

    def end():
        may_end.set()
        holding.join()

    holding = threading.Thread(target=hold)
    holding.start()
    is_held.wait(20)
    yield end
    end()


def test_a_loop_that_stands_still_after_its_calls_were_cancelled_gets_no_lock(db, queue):
    async def main():
        calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(3)]
        await until(lambda: db.engine.current._write_lock._waiters)
        calls.append(asyncio.create_task(queue.aenqueue(3)))
        await until(lambda: waiting(db) == 4)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    loop = asyncio.new_event_loop()
    try:
        with transaction_in_thread(db):
            loop.run_until_complete(main())
            assert not db.engine.current._write_lock._waiters
        assert queue.enqueue("thread") == 1
        assert loop.run_until_complete(queue.aenqueue("loop")) == 2
    finally:
        loop.close()


def test_no_event_loop_is_kept_after_its_calls_have_waited(db, queue):
    async def main():
        async with db.transaction():
            calls = [asyncio.create_task(queue.aenqueue(n)) for n in range(3)]
            await until(lambda: waiting(db) == 3)
        await asyncio.gather(*calls)

    loop = asyncio.new_event_loop()
    gone = weakref.ref(loop)
    loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    assert gone() is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_calls_that_wait_on_a_closed_loop_are_not_made_by_another_one(db, queue, path, caplog):
    calls = []

    async def wait():
        calls.extend(asyncio.ensure_future(queue.aenqueue(n)) for n in range(3))
        await until(lambda: db.engine.current._write_lock._waiters)

    async def write():
        job_id = await queue.aenqueue("other loop")
        gc.collect()
        await asyncio.sleep(0)
        return job_id

    loop = asyncio.new_event_loop()
    gone = weakref.ref(loop)
    with transaction_in_thread(db):
        loop.run_until_complete(wait())
        loop.close()
        del loop
        calls.clear()
    assert asyncio.run(write()) == 1
    assert asyncio.run(write()) == 2
    gc.collect()
    assert gone() is None
    assert payloads(path) == ["other loop"] * 2
    assert not [text for text in caplog.messages if text.startswith("Exception in callback")]
