"""After close() every method raises "the database is closed"; nothing crashes, hangs or opens it again."""

import asyncio
import gc
import inspect
import os
import threading

import honker
import pytest
from honker import DatabaseClosedError

from ..support.locking import ask
from ..support.processes import run
from ..support.waiting import wait_until

# Every public method that reaches the database, with how to call it; a method that is added must be added here. Those
# with a twin that begins with "a" are called in both ways.
DATABASE = {
    "apply": lambda db: db.apply("requeue"),
    "cancel": lambda db: db.cancel(1),
    "configure": lambda db: db.configure(counters=True),
    "counters": lambda db: db.counters(),
    "counter_totals": lambda db: db.counter_totals(),
    "dead_groups": lambda db: db.dead_groups(),
    "request_cancel": lambda db: db.request_cancel(1),
    "get_job": lambda db: db.get_job(1),
    "job": lambda db: db.job(1),
    "jobs": lambda db: db.jobs(),
    "listen": lambda db: db.listen("c"),
    "locks": lambda db: db.locks(),
    "malformed_rows": lambda db: db.malformed_rows(),
    "notify": lambda db: db.notify("c", 1),
    "prune_notifications": lambda db: db.prune_notifications(max_keep=0),
    "query": lambda db: db.query("SELECT 1"),
    "requeue": lambda db: db.requeue(1),
    "retention": lambda db: db.retention(),
    "schedules": lambda db: db.schedules(),
    "settings": lambda db: db.settings(),
    "stats": lambda db: db.stats(),
    "streams": lambda db: db.streams(),
    "sweep_rate_limits": lambda db: db.sweep_rate_limits(),
    "try_rate_limit": lambda db: db.try_rate_limit("r", 1, 60),
    "workers": lambda db: db.workers(),
    "workflow_result": lambda db: db.workflow_result(1),
    "workflows": lambda db: db.workflows(),
}
DATABASE_WITHOUT_TWIN = {
    "lock": lambda db: db.lock("l").__enter__(),
    "outbox": lambda db: db.outbox("o", print).enqueue(1),
    "stream": lambda db: db.stream("s").publish(1),
    "token_bucket": lambda db: db.token_bucket("b", 1, 1).take(),
    "transaction": lambda db: db.transaction().__enter__(),
    "update_events": lambda db: db.update_events(),
}
WITHOUT_SQL = {"close", "queue", "task", "periodic_task", "workflow"}
NEEDS_TASKS = {"run_workers"}  # raises this before it checks the database
QUEUE_WITHOUT_SQL = {"task", "periodic_task"}
QUEUE = {
    "ack": lambda queue: queue.ack(1, "w"),
    "ack_batch": lambda queue: queue.ack_batch([1], "w"),
    "attempts": lambda queue: queue.attempts(1),
    "cancel": lambda queue: queue.cancel(1),
    "claim_batch": lambda queue: queue.claim_batch("w", 1),
    "claim_one": lambda queue: queue.claim_one("w"),
    "configure": lambda queue: queue.configure(concurrency=1),
    "enqueue": lambda queue: queue.enqueue(1),
    "enqueue_many": lambda queue: queue.enqueue_many([1]),
    "enqueue_unique": lambda queue: queue.enqueue_unique(1, "a"),
    "fail": lambda queue: queue.fail(1, "w", ""),
    "finished": lambda queue: queue.finished(),
    "get_job": lambda queue: queue.get_job(1),
    "get_result": lambda queue: queue.get_result(1),
    "heartbeat": lambda queue: queue.heartbeat(1, "w"),
    "is_claimable": lambda queue: queue.is_claimable(),
    "next_claim_at": lambda queue: queue.next_claim_at(),
    "pause": lambda queue: queue.pause(),
    "pause_key": lambda queue: queue.pause_key("a"),
    "progress": lambda queue: queue.progress(1),
    "prune_dead": lambda queue: queue.prune_dead(60),
    "request_cancel": lambda queue: queue.request_cancel(1),
    "requeue": lambda queue: queue.requeue(1),
    "resume": lambda queue: queue.resume(),
    "resume_key": lambda queue: queue.resume_key("a"),
    "retain_dead": lambda queue: queue.retain_dead(60),
    "retry": lambda queue: queue.retry(1, "w", 0, ""),
    "snooze": lambda queue: queue.snooze(1, "w", 1, attempt=1),
    "save_result": lambda queue: queue.save_result(1, 1),
    "settings": lambda queue: queue.settings(),
    "stats": lambda queue: queue.stats(),
    "sweep_expired": lambda queue: queue.sweep_expired(),
    "sweep_results": lambda queue: queue.sweep_results(),
}
QUEUE_WITHOUT_TWIN = {
    "claim": lambda queue: queue.claim("w"),
    "claim_now": lambda queue: queue.claim_now("w"),
    "wait_result": lambda queue: asyncio.run(queue.wait_result(1, 5)),
}
JOB = {
    "ack": lambda job: job.ack(),
    "cancel": lambda job: job.cancel(),
    "check_cancelled": lambda job: job.check_cancelled(),
    "fail": lambda job: job.fail(),
    "heartbeat": lambda job: job.heartbeat(),
    "parents": lambda job: job.parents(),
    "progress": lambda job: job.progress(0.5),
    "retry": lambda job: job.retry(),
    "snooze": lambda job: job.snooze(1),
}
JOB_WITHOUT_SQL = {"note_ended", "note_cancelled"}


class Twins:
    """An object whose methods are run as their twins, each in an event loop of its own."""

    def __init__(self, twin_of):
        self._twin_of = twin_of

    def __getattr__(self, name):
        return lambda *args, **kwargs: asyncio.run(getattr(self._twin_of, f"a{name}")(*args, **kwargs))


def public_methods(kind):
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def test_the_tables_above_name_every_public_method():
    def twins(names):
        return {f"a{name}" for name in names}

    database = DATABASE.keys() | twins(DATABASE) | DATABASE_WITHOUT_TWIN.keys() | WITHOUT_SQL | {"aclose"} | NEEDS_TASKS
    assert database == public_methods(honker.Database)
    queue = QUEUE.keys() | twins(QUEUE) | QUEUE_WITHOUT_TWIN.keys() | QUEUE_WITHOUT_SQL
    assert queue == public_methods(honker.Queue)
    assert JOB.keys() | twins(JOB) | JOB_WITHOUT_SQL == public_methods(honker.Job)


as_it_is_or_as_its_twin = pytest.mark.parametrize("way", [lambda each: each, Twins], ids=["method", "twin"])


@pytest.mark.parametrize("name", sorted(DATABASE))
@as_it_is_or_as_its_twin
def test_a_method_of_a_closed_database_says_so(db, name, way):
    db.close()
    with pytest.raises(DatabaseClosedError, match="Database is closed"):
        DATABASE[name](way(db))


@pytest.mark.parametrize("name", sorted(DATABASE_WITHOUT_TWIN))
def test_an_object_of_a_closed_database_says_so(db, name):
    db.close()
    with pytest.raises(DatabaseClosedError, match="Database is closed"):
        DATABASE_WITHOUT_TWIN[name](db)


@pytest.mark.parametrize("name", sorted(QUEUE))
@as_it_is_or_as_its_twin
def test_a_method_of_a_queue_of_a_closed_database_says_so(db, queue, name, way):
    db.close()
    with pytest.raises(DatabaseClosedError, match="Database is closed"):
        QUEUE[name](way(queue))


@pytest.mark.parametrize("name", sorted(QUEUE_WITHOUT_TWIN))
def test_a_wait_on_a_queue_of_a_closed_database_says_so(db, queue, name):
    db.close()
    with pytest.raises(DatabaseClosedError, match="Database is closed"):
        QUEUE_WITHOUT_TWIN[name](queue)


@pytest.mark.parametrize("name", sorted(JOB))
@as_it_is_or_as_its_twin
def test_a_method_of_a_job_of_a_closed_database_says_so(db, queue, name, way):
    queue.enqueue(1)
    job = queue.claim_one("w")
    db.close()
    with pytest.raises(DatabaseClosedError, match="Database is closed"):
        JOB[name](way(job))


def test_an_asynchronous_transaction_of_a_closed_database_says_so(db):
    db.close()
    with pytest.raises(DatabaseClosedError):
        asyncio.run(db.transaction().__aenter__())


def test_an_iterator_of_a_closed_database_says_so(db, queue):
    claims = queue.claim("w")
    db.close()
    with pytest.raises(DatabaseClosedError):
        next(claims)
    with pytest.raises(DatabaseClosedError):
        asyncio.run(anext(claims))


def test_an_iterator_that_waits_is_told_of_the_closing(db, queue):
    """In both forms, blocking and awaiting."""
    errors, is_waiting = [], threading.Event()

    def collect(step):
        try:
            step()
        except DatabaseClosedError as error:
            errors.append(error)

    async def wait():
        claims = queue.claim("w", idle_poll_s=None)
        await asyncio.wait([waiting := asyncio.ensure_future(anext(claims))], timeout=0.05)
        is_waiting.set()
        await waiting

    threads = [
        threading.Thread(target=collect, args=[lambda: next(queue.claim("w", idle_poll_s=None))]),
        threading.Thread(target=collect, args=[lambda: asyncio.run(wait())]),
    ]
    for thread in threads:
        thread.start()
    is_waiting.wait()
    db.close()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert len(errors) == 2


def test_closing_twice_is_harmless(db):
    db.close()
    db.close()


def test_a_with_block_closes_the_database(path):
    with honker.open(path) as db:
        pass
    with pytest.raises(DatabaseClosedError):
        db.query("SELECT 1")


@pytest.mark.sqlite_only("the files of a database")
def test_a_transaction_that_is_open_when_the_database_is_closed_ends_as_it_would(path):
    """It holds the last connection, and closes it."""
    db = honker.open(path)
    with db.transaction() as tx:
        db.close()
        db.queue("q").enqueue("committed", tx=tx)
    db = honker.open(path)
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        db.queue("q").enqueue("rolled back", tx=tx)
        db.close()
        raise ZeroDivisionError
    with pytest.raises(DatabaseClosedError):
        db.transaction().__enter__()
    assert ask(path, "SELECT payload FROM _honker_live") == [('"committed"',)]
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.sqlite_only("one writer")
def test_a_thread_that_waits_for_its_turn_when_the_database_is_closed_is_told(path):
    db = honker.open(path)
    errors = []

    def enter():
        try:
            db.queue("q").enqueue(1)
        except DatabaseClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    with db.transaction():
        thread.start()
        wait_until(lambda: len(db.engine.current._write_lock._waiters) == 1)
        db.close()
    thread.join(timeout=10)
    assert len(errors) == 1
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.sqlite_only("the files of a database")
def test_closing_releases_every_file(path):
    db = honker.open(path)
    db.queue("q").enqueue(1)
    next(db.queue("q").claim("w"))
    db.close()
    held = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if number.isdigit()
            if os.path.exists(f"/proc/self/fd/{number}")]  # fmt: skip
    assert not [file for file in held if file.startswith(str(path))]
    assert not path.with_name(path.name + "-wal").exists()


@pytest.mark.sqlite_only("the files of a database")
def test_a_database_that_nobody_holds_any_more_releases_every_file(path):
    db = honker.open(path)
    queue = db.queue("q")
    queue.enqueue(1)
    next(queue.claim("w"))
    del db, queue
    gc.collect()
    assert not path.with_name(path.name + "-wal").exists()


CLOSE_UNDER_LOAD = """
import sys, threading, time
import honker

for turns in range(40):
    db = honker.open(sys.argv[1])
    queue, is_busy = db.queue("q"), threading.Event()

    def work(number):
        try:
            while True:
                queue.enqueue(number)
                is_busy.set()
        except honker.DatabaseClosedError:
            pass

    threads = [threading.Thread(target=work, args=[number]) for number in range(3)]
    for thread in threads:
        thread.start()
    is_busy.wait()
    for _ in range(turns):
        time.sleep(0)  # lets the threads on, into the middle of a statement for the most part
    db.close()
    for thread in threads:
        thread.join()
print("alive")
"""


def test_closing_while_other_threads_write_ends_their_calls_with_an_error_and_not_the_process(path):
    assert run(CLOSE_UNDER_LOAD, path) == ["alive"]


CLOSE_UNDER_READS = CLOSE_UNDER_LOAD.replace("queue.enqueue(number)", "queue.next_claim_at()")


def test_closing_while_other_threads_read_ends_their_calls_with_an_error_and_not_the_process(path):
    assert run(CLOSE_UNDER_READS, path) == ["alive"]
