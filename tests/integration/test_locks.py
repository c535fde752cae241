"""Locks: one owner at a time, for a limited time, and a token that identifies a late one."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from itertools import pairwise

import pytest
from honker import DatabaseClosedError, HonkerError, InvalidArgumentError, LockHeld, NestedTransactionError

from ..support.locking import ask, write_lock_elsewhere
from ..support.processes import running
from ..support.waiting import until, wait_until

HOLDER = """
import sys
import honker
with honker.open(sys.argv[1]) as db, db.lock("l", float(sys.argv[2])) as lock:
    print(lock.token, flush=True)
    sys.stdin.readline()
print("released", flush=True)
"""


def row(path, name="l"):
    rows = ask(path, "SELECT owner, expires_at FROM _honker_locks WHERE name = ?", name)
    return rows[0] if rows else None


def lapse(path):
    """Expire every lease, as time would."""
    ask(path, "UPDATE _honker_locks SET expires_at = unixepoch() - 1")


def shorten(path, seconds):
    ask(path, "UPDATE _honker_locks SET expires_at = expires_at - ?", seconds)


def test_a_lock_is_not_taken_before_its_block_is_entered(db, path):
    lock = db.lock("l")
    assert (lock.name, lock.ttl, lock.acquired, lock.db) == ("l", 60, False, db)
    assert (lock.token, row(path)) == (None, None)
    assert "'l'" in repr(lock)


def test_a_lock_is_held_for_the_length_of_its_block(db, path):
    with db.lock("l", ttl=100) as lock:
        assert lock.acquired
        owner, expires_at = row(path)
        assert owner == lock.owner
        assert 99 < expires_at - time.time() < 100.01
    assert not lock.acquired
    assert row(path) is None


def test_a_lock_that_is_held_is_refused_to_others(db):
    with db.lock("l"):
        other = db.lock("l")
        with pytest.raises(LockHeld, match="'l'"), other:
            pytest.fail("it was entered")
        assert not other.acquired
        assert not other.try_acquire()
        with db.lock("m"):
            pass
    with other:
        assert other.acquired


def test_a_refused_lock_leaves_that_of_the_holder_alone(db, path):
    with db.lock("l") as lock:
        before = row(path)
        other = db.lock("l", ttl=5)
        with pytest.raises(LockHeld):
            other.__enter__()
        other.release()
        assert row(path) == before
        assert lock.renew()


def test_every_lock_has_an_owner_of_its_own(db):
    assert db.lock("l").owner != db.lock("l").owner
    assert db.lock("l", owner="me").owner == "me"


def test_a_lock_can_be_used_with_async_with(db, path):
    async def main():
        async with db.lock("l") as lock:
            assert lock.acquired
            assert row(path)[0] == lock.owner
            with pytest.raises(LockHeld):
                await db.lock("l").__aenter__()
            assert await lock.arenew()
        assert not lock.acquired
        assert row(path) is None

    asyncio.run(main())


def test_an_exception_inside_the_block_releases_the_lock_and_goes_on(db, path):
    async def main():
        async with db.lock("l"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), db.lock("l"):
        raise ZeroDivisionError
    assert row(path) is None
    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert row(path) is None


def test_a_task_that_is_cancelled_inside_the_block_releases_the_lock(db, path):
    async def hold(has_it):
        async with db.lock("l"):
            has_it.set()
            await asyncio.Event().wait()

    async def main():
        has_it = asyncio.Event()
        holding = asyncio.create_task(hold(has_it))
        await has_it.wait()
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding

    asyncio.run(main())
    assert row(path) is None


def test_a_task_cancelled_while_it_waits_to_take_a_lock_does_not_leave_it_taken(db, path):
    """Another process writes, so a thread takes the lock, and continues after its task was cancelled."""

    async def main(release):
        taking = asyncio.ensure_future(db.lock("l", ttl=1000).__aenter__())
        await asyncio.wait([taking], timeout=0.1)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        release()
        assert await db.anotify("c", "whoever was before us has written")
        await until(lambda: row(path) is None, timeout_s=5)

    with write_lock_elsewhere(path) as release:
        asyncio.run(main(release))


def test_a_lock_that_a_loop_waited_for_when_it_ended_is_not_left_taken(db, path):
    """The loop and its tasks end while the thread that takes the lock still waits for another process."""

    async def main():
        async with asyncio.timeout(0.1), db.lock("l", ttl=1000):
            pytest.fail("it was entered")

    with write_lock_elsewhere(path) as release, ThreadPoolExecutor(1) as executor:
        ending = executor.submit(asyncio.run, main())
        wait([ending], timeout=0.5)
        release()
        with pytest.raises(TimeoutError):
            ending.result(timeout=10)
    db.notify("c", "whoever was before us has written")
    wait_until(lambda: row(path) is None, timeout_s=5)


def test_a_lock_cannot_be_taken_by_the_task_that_is_in_a_transaction(db, path):
    """It would wait for itself, so it raises at once."""

    async def main():
        async with db.transaction():
            for attempt in (db.lock("l").atry_acquire, db.lock("l").__aenter__, db.lock("l").arelease):
                with pytest.raises(NestedTransactionError):
                    async with asyncio.timeout(2):
                        await attempt()
            with pytest.raises(NestedTransactionError):
                db.lock("l").try_acquire()

    asyncio.run(main())
    assert row(path) is None


# ---------------------------------------------------------------------------------------------------- owning and expiry


def test_an_owner_that_acquires_again_extends_the_lease(db, path):
    with db.lock("l", ttl=100, owner="me") as lock:
        token = lock.token
        shorten(path, 50)
        again = db.lock("l", ttl=100, owner="me")
        assert again.try_acquire()
        assert 99 < row(path)[1] - time.time() < 100.01
        assert (again.token, lock.token) == (token, token)


def test_renew_extends_the_lease(db, path):
    with db.lock("l", ttl=100) as lock:
        shorten(path, 50)
        assert lock.renew()
        assert 99 < row(path)[1] - time.time() < 100.01
        assert lock.renew(500)
        assert 499 < row(path)[1] - time.time() < 500.01
        assert lock.renew(timedelta(seconds=200))
        assert 199 < row(path)[1] - time.time() < 200.01


def test_arenew_extends_the_lease(db, path):
    with db.lock("l", ttl=100) as lock:
        shorten(path, 50)
        assert asyncio.run(lock.arenew())
        assert 99 < row(path)[1] - time.time() < 100.01


def test_renew_of_a_lock_that_was_not_acquired_does_nothing(db, path):
    lock = db.lock("l", owner="me")
    assert lock.renew() is False
    assert asyncio.run(lock.arenew()) is False
    with db.lock("l", ttl=100, owner="me"):
        before = row(path)
        assert lock.renew(500) is False
        assert row(path) == before


@pytest.mark.parametrize("renew", [lambda lock: lock.renew(), lambda lock: asyncio.run(lock.arenew())])
def test_renew_does_not_revive_a_lease_that_has_lapsed(db, path, renew):
    """Nobody took it since, but another owner could have held and released it."""
    with db.lock("l") as lock:
        lapse(path)
        assert renew(lock) is False
        assert (lock.acquired, lock.token) == (False, None)
        assert renew(lock) is False


def test_a_lock_that_has_lapsed_is_free(db, path):
    with db.lock("l") as late:
        lapse(path)
        with db.lock("l") as lock:
            assert row(path)[0] == lock.owner
            assert late.renew() is False
            late.release()
            assert row(path)[0] == lock.owner
            assert late.token is None
            assert lock.token is not None


def test_a_block_that_ends_late_leaves_the_next_holders_lock_alone(db, path):
    with db.lock("l"):
        lapse(path)
        assert db.lock("l", owner="next").try_acquire()
    assert row(path)[0] == "next"


def test_a_lease_ends_by_itself_and_not_early(db):
    began = time.time()
    assert db.lock("l", ttl=0.3).try_acquire()
    wait_until(lambda: db.lock("l").try_acquire())
    assert 0.3 <= time.time() - began < 3


def test_release_is_by_owner_and_may_be_repeated(db, path):
    assert db.lock("l", owner="me").try_acquire()
    db.lock("l", owner="you").release()
    asyncio.run(db.lock("l", owner="you").arelease())
    assert row(path)[0] == "me"
    mine = db.lock("l", owner="me")
    mine.release()
    mine.release()
    assert row(path) is None


def test_a_lock_that_was_released_inside_its_block_may_be_taken_by_another(db, path):
    with db.lock("l") as lock:
        lock.release()
        assert db.lock("l", owner="other").try_acquire()
    assert row(path)[0] == "other"


@pytest.mark.parametrize("ttl", [0, -1, 0.0, -0.5, timedelta(0), 10**30])
def test_a_lease_must_be_longer_than_nothing(db, path, ttl):
    with pytest.raises(InvalidArgumentError):
        db.lock("l", ttl).try_acquire()
    with db.lock("l") as lock:
        before = row(path)
        with pytest.raises(InvalidArgumentError):
            lock.renew(ttl)
        assert row(path) == before


@pytest.mark.parametrize("ttl", ["60", None, float("nan"), float("inf")], ids=repr)
def test_a_lease_must_be_a_number(db, path, ttl):
    with pytest.raises((HonkerError, TypeError)):
        db.lock("l", ttl).try_acquire()
    assert row(path) is None


def test_name_and_owner_must_not_be_empty(db, path):
    for arguments in ({"name": ""}, {"name": "l", "owner": ""}):
        with pytest.raises(InvalidArgumentError, match="empty"):
            db.lock(**arguments).try_acquire()
    assert ask(path, "SELECT * FROM _honker_locks") == []


# --------------------------------------------------------------------------------------------------------------- tokens


def test_anybody_can_ask_until_when_a_lock_is_held(db, path):
    lock, other = db.lock("l", ttl=50), db.lock("l")
    assert other.held_until() is None
    with lock:
        assert lock.held_until() == other.held_until() == row(path)[1]
        assert not other.acquired
    assert other.held_until() is None


def test_each_later_holder_has_a_larger_token(db, path):
    tokens = []
    for name in ("l", "l", "m", "l"):
        with db.lock(name) as lock:
            tokens.append(lock.token)
    lapsed = db.lock("l")
    assert lapsed.try_acquire()
    lapse(path)
    with db.lock("l") as lock:
        tokens += [lock.token]
    assert all(earlier < later for earlier, later in pairwise(tokens))
    assert len(tokens) == 5


def test_the_token_stays_the_same_while_the_lock_is_held(db):
    with db.lock("l") as lock:
        token = lock.token
        assert isinstance(token, int)
        assert lock.renew()
        assert lock.token == token


def test_there_is_no_token_when_the_lock_is_not_held(db, path):
    lock = db.lock("l")
    assert lock.token is None
    with lock:
        lapse(path)
        assert lock.token is None
    with lock:
        ask(path, "UPDATE _honker_locks SET owner = 'thief'")
        assert lock.token is None
    assert row(path)[0] == "thief"


# ------------------------------------------------------------------------------------------------------------ processes


def test_a_lock_holds_against_other_processes_until_it_is_released(db, path):
    with running(HOLDER, path, 1000) as holder:
        token = int(holder.line())
        with pytest.raises(LockHeld):
            db.lock("l").__enter__()
        holder.say()
        holder.expect("released")
        with db.lock("l") as lock:
            assert lock.token > token


def test_a_lock_of_a_process_that_was_killed_is_free_when_its_lease_has_lapsed(db, path):
    with running(HOLDER, path, 0.5) as holder:
        holder.line()
        expires_at = row(path)[1]
        holder.kill()
        assert not db.lock("l").try_acquire()
        wait_until(lambda: db.lock("l").try_acquire())
        assert expires_at <= time.time() < expires_at + 3


def test_one_of_many_tasks_gets_the_lock(db):
    async def main():
        return await asyncio.gather(*(db.lock("l").atry_acquire() for _ in range(20)))

    assert sorted(asyncio.run(main())) == [False] * 19 + [True]


def test_a_lock_of_a_closed_database_is_an_error_and_not_a_held_lock(db):
    lock = db.lock("l")
    db.close()
    with pytest.raises(DatabaseClosedError):
        lock.try_acquire()
