"""Loops that acknowledge each job with the claim of the next one: `Queue.claim` with ``auto_ack``."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

import honker
import pytest
from honker import DatabaseClosedError, HonkerError
from honker.queue import claims as claims_module

from ..support.asking import watch_answers
from ..support.locking import write_lock_elsewhere
from ..support.processes import running
from ..support.waiting import until, wait_until

WORKER = """
import os, sys
import honker
for job in honker.open(sys.argv[1]).queue("q").claim("dies", auto_ack=True):
    print(job.payload, flush=True)
    if job.payload == 2:
        sys.stdin.readline()
"""


@pytest.fixture(params=["for", "async for"])
def work(request):
    """Run the body with each job of an iterator, until it returns true."""

    def by_blocking(claims, body):
        for job in claims:
            if body(job):
                return

    def by_awaiting(claims, body):
        async def main():
            async for job in claims:
                if body(job):
                    return

        asyncio.run(asyncio.wait_for(main(), 30))

    return by_blocking if request.param == "for" else by_awaiting


@pytest.fixture
def claims(queue):
    with queue.claim("w", idle_poll_s=None, auto_ack=True) as opened:
        yield opened


@pytest.fixture
def calls(claims, monkeypatch):
    """The functions that write and that the iterator has called."""
    engine, seen = claims._engine, []

    class Watched:
        def __getattr__(self, name):
            return getattr(engine, name)

        def call(self, sql, *params, **options):
            seen.append(sql.split("(")[0].removeprefix("SELECT "))
            return engine.call(sql, *params, **options)

        def call_now(self, sql, *params):
            seen.append(sql.split("(")[0].removeprefix("SELECT "))
            return engine.call_now(sql, *params)

    watched = Watched()
    monkeypatch.setattr(claims, "_engine", watched)
    monkeypatch.setattr(claims._queue, "_engine", watched)
    return seen


def states(queue):
    """The state and the attempts of the jobs of a queue, by payload."""
    rows = queue.db.query("SELECT payload, state, attempts FROM _honker_live")
    return {row["payload"]: (row["state"], row["attempts"]) for row in rows}


# -------------------------------------------------------------------------------------------------------------- the ack


def test_the_ack_of_a_job_and_the_claim_of_the_next_are_one_call(queue, claims, calls, work):
    for number in range(4):
        queue.enqueue(number)
    seen = []
    work(claims, lambda job: seen.append(job.payload) or job.payload == 3)
    assert seen == [0, 1, 2, 3]
    assert [call for call in calls if call != "honker_enqueue"][-3:] == ["honker_work"] * 3
    assert "honker_ack" not in calls
    assert states(queue) == {"3": ("processing", 1)}


def test_the_ack_of_the_last_job_does_not_wait_for_another_one(queue, claims):
    queue.enqueue(1)
    with ThreadPoolExecutor(1) as executor:
        working = executor.submit(lambda: [job.payload for _, job in zip(range(2), claims, strict=False)])
        wait_until(lambda: states(queue) == {})
        assert not working.done()
        queue.enqueue(2)
        assert working.result(timeout=10) == [1, 2]


def test_the_ack_of_the_last_job_does_not_wait_for_another_one_in_a_coroutine(queue, claims):
    async def main():
        assert (await asyncio.wait_for(anext(claims), 10)).payload == 1
        waiting = asyncio.ensure_future(anext(claims))
        await until(lambda: states(queue) == {})
        assert not waiting.done()
        await queue.aenqueue(2)
        return await asyncio.wait_for(waiting, 10)

    queue.enqueue(1)
    assert asyncio.run(main()).payload == 2


def test_a_wait_that_is_cancelled_acknowledges_and_loses_no_job(queue, claims):
    async def main():
        assert (await asyncio.wait_for(anext(claims), 10)).payload == 1
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(claims), 0.02)
        assert states(queue) == {}
        await queue.aenqueue(2)
        return await asyncio.wait_for(anext(claims), 10)

    queue.enqueue(1)
    assert asyncio.run(main()).payload == 2


def test_an_ack_in_a_thread_outlives_its_cancelled_wait(queue, claims, path):
    async def main(release):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(claims), 0.05)
        assert claims._claiming is not None
        release()
        return await asyncio.wait_for(anext(claims), 10)

    queue.enqueue(1)
    queue.enqueue(2)
    assert next(claims).payload == 1
    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)).payload == 2
    assert states(queue) == {"2": ("processing", 1)}


def test_a_call_that_fails_leaves_the_ack_to_the_next_one(queue, claims, monkeypatch):
    queue.enqueue(1)
    queue.enqueue(2)
    assert next(claims).payload == 1
    with monkeypatch.context() as patch:
        patch.setattr(claims._auto_ack, "_worker_id", "")
        with pytest.raises(HonkerError, match="worker_id"):
            next(claims)
    assert states(queue) == {"1": ("processing", 1), "2": ("pending", 0)}
    assert next(claims).payload == 2
    assert states(queue) == {"2": ("processing", 1)}


def test_an_ack_whose_lease_was_lost_is_logged_and_changes_nothing(db, caplog):
    queue = db.queue("q", visibility_timeout_s=0.1)
    queue.enqueue(1)
    with queue.claim("w", auto_ack=True) as claims:
        assert next(claims).attempts == 1
        wait_until(lambda: queue.claim_one("another"))
        queue.enqueue(2, priority=1)
        assert next(claims).payload == 2
    assert "its lease was lost before its ack" in caplog.text
    assert states(queue)["1"] == ("processing", 2)


# ----------------------------------------------------------------------------------------------------- leaving the loop


def test_the_job_at_which_break_leaves_the_loop_stays_leased(queue, claims, work):
    queue.enqueue(1)
    left = []
    work(claims, lambda job: left.append(job) or True)
    claims.close()
    assert states(queue) == {"1": ("processing", 1)}
    assert left[0].ack()


def test_the_job_at_which_an_exception_leaves_the_loop_runs_again(db, work):
    queue = db.queue("q", visibility_timeout_s=0.2)
    queue.enqueue(1)
    with pytest.raises(ZeroDivisionError), queue.claim("w", auto_ack=True) as claims:
        work(claims, lambda job: job.payload / 0)
    assert states(queue) == {"1": ("processing", 1)}
    with queue.claim("w", auto_ack=True) as claims:
        assert next(claims).attempts == 2


def test_only_the_job_at_which_an_exception_leaves_the_loop_is_not_acknowledged(queue):
    queue.enqueue(1)
    queue.enqueue(2)
    with contextlib.suppress(ZeroDivisionError):
        for job in queue.claim("w", auto_ack=True):
            if job.payload == 2:
                raise ZeroDivisionError
    assert states(queue) == {"2": ("processing", 1)}


def test_a_job_whose_process_is_killed_runs_again_and_the_ones_before_do_not(db, path):
    queue = db.queue("q", visibility_timeout_s=60)
    for number in range(4):
        queue.enqueue(number)
    with running(WORKER, path) as worker:
        for number in range(3):
            worker.expect(str(number))
        worker.kill()
    assert states(queue) == {"2": ("processing", 1), "3": ("pending", 0)}


# ----------------------------------------------------------------------------------------------------- settling by hand


SETTLED = {
    "ack": (lambda job: job.ack(), {}),
    "retry": (lambda job: job.retry(60, "again"), {"1": ("pending", 1)}),
    "snooze": (lambda job: job.snooze(60), {"1": ("pending", 0)}),
    "fail": (lambda job: job.fail("broken"), {}),
    "cancel": (lambda job: job.cancel(), {}),
    "ack_batch": (lambda job: job.queue.ack_batch([job], "w") == 1, {}),
    "aack": (lambda job: asyncio.run(job.aack()), {}),
    "aretry": (lambda job: asyncio.run(job.aretry(60)), {"1": ("pending", 1)}),
    "asnooze": (lambda job: asyncio.run(job.asnooze(60)), {"1": ("pending", 0)}),
    "afail": (lambda job: asyncio.run(job.afail()), {}),
    "acancel": (lambda job: asyncio.run(job.acancel()), {}),
}


@pytest.mark.parametrize("name", SETTLED)
def test_a_job_that_the_loop_settles_stays_as_it_was_settled(queue, claims, caplog, name):
    settle, left = SETTLED[name]
    queue.enqueue(1)
    assert settle(next(claims))
    queue.enqueue(2, priority=1)
    assert next(claims).payload == 2
    assert states(queue) == {**left, "2": ("processing", 1)}
    assert not caplog.records


def test_a_job_whose_retry_has_failed_is_not_acknowledged(queue, claims):
    queue.enqueue(1)
    with pytest.raises(HonkerError):
        next(claims).retry(-1)
    queue.enqueue(2)
    assert next(claims).payload == 2
    assert states(queue)["1"] == ("processing", 1)


def test_a_job_whose_ack_was_rolled_back_is_not_acknowledged(db, queue, claims):
    queue.enqueue(1)
    job = next(claims)
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        assert job.ack(tx=tx)
        raise ZeroDivisionError
    queue.enqueue(2)
    assert next(claims).payload == 2
    assert states(queue)["1"] == ("processing", 1)


def test_a_heartbeat_settles_nothing(queue, claims):
    queue.enqueue(1)
    assert next(claims).heartbeat()
    queue.enqueue(2)
    next(claims)
    assert states(queue) == {"2": ("processing", 1)}


# ------------------------------------------------------------------------------------------------------ a busy iterator


@pytest.mark.parametrize("auto_ack", [False, True])
def test_a_busy_iterator_stops_listening_and_hears_the_next_commit_after_its_rest(queue, monkeypatch, auto_ack):
    monkeypatch.setattr(claims_module, "_BUSY_S", 0.0)
    claims, looks = queue.claim("w", idle_poll_s=None, auto_ack=auto_ack), []
    watch_answers(queue, "honker_queue_next_claim_at", looks.append)

    def take(payload):
        is_rested = claims._updates.is_resting
        with ThreadPoolExecutor(1) as executor:
            looks.clear()
            waiting = executor.submit(next, claims)
            wait_until(lambda: len(looks) > is_rested)  # the first wait after a rest subscribes only
            queue.enqueue(payload)
            job = waiting.result(timeout=10)
            assert job.ack()
            return job.payload

    assert take("first") == "first"
    assert not claims._updates.is_resting
    queue.enqueue_many(range(claims_module._BUSY_CLAIMS))
    for _ in range(claims_module._BUSY_CLAIMS):
        assert next(claims).ack()
    assert claims._updates.is_resting
    assert take("last") == "last"


def test_an_iterator_that_rests_does_not_outlive_its_app(path):
    app = honker.App(path)
    claims = app.queue("q").claim("w", idle_poll_s=None)
    claims._updates.rest()
    app.close()
    with pytest.raises(DatabaseClosedError):
        next(claims)
    app.close()
