"""Another process holds the write lock: calls wait within the timeout, then fail, and never block the event loop."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait

import honker
import pytest
from honker import DatabaseBusyError
from honker.sqlite import connection
from honker.sqlite.connection import BUSY_TIMEOUT_S

from ..support.executors import ThreadPoolOfOne
from ..support.locking import write_lock_elsewhere
from ..support.waiting import until

pytestmark = [pytest.mark.usefixtures("impatient"), pytest.mark.sqlite_only("SQLite has one writer")]

WRITES = {
    "enqueue": lambda db: db.queue("q").enqueue(1),
    "claim_one": lambda db: db.queue("q").claim_one("w"),
    "ack": lambda db: db.queue("q").ack(1, "w"),
    "save_result": lambda db: db.queue("q").save_result(1, 1),
    "transaction": lambda db: db.transaction().__enter__(),
}
ASYNC_WRITES = {
    "aenqueue": lambda db: db.queue("q").aenqueue(1),
    "aclaim_batch": lambda db: db.queue("q").aclaim_batch("w", 1),
    "aack": lambda db: db.queue("q").aack(1, "w"),
    "transaction": lambda db: db.transaction().__aenter__(),
    "claims": lambda db: anext(db.queue("q").claim("w")),
}


def test_the_timeout_is_long_unless_a_test_shortens_it():
    assert BUSY_TIMEOUT_S == 5.0


@pytest.mark.parametrize("name", sorted(WRITES))
def test_a_write_that_gets_no_lock_in_time_says_so_and_works_again_afterwards(db, path, name):
    db.queue("q").enqueue(1)
    with write_lock_elsewhere(path) as release:
        began = time.monotonic()
        with pytest.raises(DatabaseBusyError, match="database is locked") as caught:
            WRITES[name](db)
        assert 0.25 < time.monotonic() - began < 5
        assert caught.value.sqlite_code == 5
        release()
    assert db.queue("q").enqueue(2) == 2


@pytest.mark.parametrize("name", sorted(ASYNC_WRITES))
def test_an_asynchronous_write_that_gets_no_lock_in_time_says_so_and_the_loop_goes_on(path, monkeypatch, name):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.6)
    with honker.open(path) as db:
        db.queue("q").enqueue(1)
        with write_lock_elsewhere(path):
            waited_s, longest_stop_s = asyncio.run(refused_while_ticking(lambda: ASYNC_WRITES[name](db)))
        assert waited_s > 0.5
        assert longest_stop_s < 0.4  # a wait that blocks the loop stops it for the whole timeout
        assert db.queue("q").enqueue(2) == 2


async def refused_while_ticking(write):
    """The duration of the write's wait for the lock, and the longest stop of the event loop meanwhile."""
    began = last = time.monotonic()
    longest_stop_s = 0.0
    writing = asyncio.ensure_future(write())
    while not writing.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        longest_stop_s, last = max(longest_stop_s, now - last), now
    with pytest.raises(DatabaseBusyError):
        await writing
    return last - began, longest_stop_s


def test_a_write_waits_for_a_lock_that_is_released_in_time(db, path, monkeypatch):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 30.0)
    with write_lock_elsewhere(path) as release:
        job_ids = []
        thread = threading.Thread(target=lambda: job_ids.append(db.queue("q").enqueue(1)))
        thread.start()
        thread.join(timeout=0.1)
        assert job_ids == []
        release()
        thread.join(timeout=20)
    assert job_ids == [1]


def test_an_asynchronous_write_waits_for_a_lock_that_is_released_in_time(db, path, monkeypatch):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 30.0)

    async def main(release):
        task = asyncio.create_task(db.queue("q").aenqueue(1))
        await asyncio.wait([task], timeout=0.1)
        assert not task.done()
        release()
        return await task

    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)) == 1


def test_an_asynchronous_transaction_waits_for_a_lock_that_is_released_in_time(db, path, monkeypatch):
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 30.0)

    async def enter():
        async with db.transaction() as tx:
            return db.queue("q").enqueue(1, tx=tx)

    async def main(release):
        task = asyncio.create_task(enter())
        await asyncio.wait([task], timeout=0.1)
        assert not task.done()
        release()
        return await task

    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)) == 1


def test_reading_does_not_wait_for_the_write_lock(db, path):
    db.queue("q").enqueue(1)
    with write_lock_elsewhere(path):
        assert db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 1}]
        assert db.queue("q").is_claimable()
        assert db.queue("q").get_job(1)["state"] == "pending"


def test_a_current_file_is_opened_while_another_process_writes(path):
    honker.open(path).close()
    with write_lock_elsewhere(path), honker.open(path) as db:
        assert db.queue("q").next_claim_at() is None


def test_opening_a_new_file_that_another_process_holds_says_so(path):
    with write_lock_elsewhere(path), pytest.raises(DatabaseBusyError, match="database is locked"):
        honker.open(path)
    honker.open(path).close()


def test_claiming_now_does_not_wait(db, path):
    db.queue("q").enqueue(1)
    with write_lock_elsewhere(path):
        began = time.monotonic()
        with pytest.raises(DatabaseBusyError):
            db.queue("q").claim_now("w")
        assert time.monotonic() - began < 0.25
    assert db.queue("q").claim_now("w").id == 1


def test_an_iterator_that_found_the_file_locked_goes_on_once_it_is_free(db, path):
    """The error belongs to one attempt; the next one must not raise it again."""
    db.queue("q").enqueue(1)

    async def main(release):
        claims = db.queue("q").claim("w")
        with pytest.raises(DatabaseBusyError):
            await anext(claims)
        with pytest.raises(DatabaseBusyError):
            await anext(claims)
        release()
        return await anext(claims)

    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)).id == 1


def test_a_blocking_iterator_that_found_the_file_locked_goes_on_once_it_is_free(db, path):
    db.queue("q").enqueue(1)
    claims = db.queue("q").claim("w")
    with write_lock_elsewhere(path), pytest.raises(DatabaseBusyError):
        next(claims)
    assert next(claims).id == 1


def test_a_blocking_call_beside_a_wait_in_a_thread_waits_too(db, path):
    """The wait runs in another thread, so the task's own thread is in no transaction, and nothing is nested here."""

    async def main():
        with ThreadPoolOfOne() as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            task = asyncio.create_task(db.queue("q").aenqueue(1))
            await until(lambda: executor.has_begun)
            with pytest.raises(DatabaseBusyError):
                db.queue("q").enqueue(2)
            with pytest.raises(DatabaseBusyError):
                await task

    with write_lock_elsewhere(path):
        asyncio.run(main())


@pytest.mark.parametrize("name", sorted(WRITES))
def test_the_timeout_holds_again_after_a_call_that_did_not_wait(db, path, name):
    """An immediate attempt shortens the timeout of its connection only for itself."""
    db.queue("q").enqueue(1)
    with write_lock_elsewhere(path):
        with pytest.raises(DatabaseBusyError):
            db.queue("q").claim_now("w")
        with pytest.raises(DatabaseBusyError):
            asyncio.run(db.queue("q").aenqueue(1))
        began = time.monotonic()
        with pytest.raises(DatabaseBusyError):
            db.queue("q").claim_now("w")
        assert time.monotonic() - began < 0.25
        began = time.monotonic()
        with pytest.raises(DatabaseBusyError):
            WRITES[name](db)
        assert time.monotonic() - began > 0.25


def test_what_an_asynchronous_transaction_does_waits_for_locks_as_ever(db):
    """Only its beginning does not wait. It may need a lock later, such as that of an attached database."""

    async def timeout_inside():
        async with db.transaction():
            return db.engine.current._writer._busy_timeout_s

    assert asyncio.run(timeout_inside()) == honker.sqlite.connection.BUSY_TIMEOUT_S


def test_a_lock_is_had_soon_after_it_is_let_go(path, monkeypatch):
    """However long it was waited for. SQLite's own handler looks every 100 ms by then, and would take 50 on average."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 30.0)
    with honker.open(path) as db:
        delays_s = sorted(time_to_a_lock_that_was_waited_for(db, path, 0.35 + 0.02 * turn) for turn in range(5))
    assert delays_s[2] < 0.02


def time_to_a_lock_that_was_waited_for(db, path, wait_s):
    """Seconds from the release of the lock to the end of the waiting write."""
    with write_lock_elsewhere(path) as release, ThreadPoolExecutor(1) as executor:
        written = executor.submit(lambda: (db.queue("q").enqueue(1), time.monotonic()))
        assert not wait([written], timeout=wait_s).done
        began = time.monotonic()
        release()
        return written.result()[1] - began


def test_a_reader_of_the_application_sees_the_usual_timeout(path, monkeypatch):
    """Applications read this pragma to see what honker set."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 5.0)
    with honker.open(path) as db:
        assert db.query("PRAGMA busy_timeout") == [{"timeout": 5000}]


def test_an_asynchronous_write_does_not_wait_for_a_reader(db, path):
    """A long read of the application pins a snapshot, and writers continue."""
    reader = honker.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM _honker_live").fetchone()
    assert asyncio.run(db.queue("q").aenqueue(1)) == 1
    reader.close()
