"""Outboxes: deliveries are recorded with the rows that caused them, and then retried until they succeed."""

import asyncio
import contextlib
import functools
import threading

import honker
import pytest

from ..support.locking import ask
from ..support.waiting import until


async def working(outbox, predicate, worker_id="w"):
    """Deliver until the predicate is true. The worker must still run then, and end promptly when cancelled."""
    worker = asyncio.ensure_future(outbox.run_worker(worker_id))
    try:
        await until(lambda: worker.done() or predicate())
        assert not worker.done()
    finally:
        worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait_for(worker, 2)
    assert worker.cancelled()


def is_empty(path):
    return lambda: ask(path, "SELECT 1 FROM _honker_live") == []


def dead(path):
    return ask(path, "SELECT attempts, last_error FROM _honker_dead")


def test_an_outbox_is_a_queue_of_its_own_and_constructing_it_runs_no_sql(db):
    with db.transaction():
        outbox = db.outbox("mail", print)
    assert (outbox.queue.name, outbox.name, outbox.db, outbox.delivery) == ("_outbox:mail", "mail", db, print)
    assert (outbox.max_attempts, outbox.base_backoff_s, outbox.queue.visibility_timeout_s) == (5, 5, 60)
    assert repr(outbox) == f"<honker.Outbox 'mail' of {db.path!r}>"


def test_an_outbox_is_opened_once(db):
    class Mailer:
        def send(self, payload): ...

    mailer = Mailer()
    outbox = db.outbox("mail", mailer.send)
    assert db.outbox("mail", mailer.send) is outbox
    for delivery, options in [(print, {}), (mailer.send, {"max_attempts": 2}), (mailer.send, {"base_backoff_s": 1})]:
        with pytest.raises(honker.OutboxConflictError, match="already opened"):
            db.outbox("mail", delivery, **options)


def test_a_delivery_must_be_callable(db):
    with pytest.raises(TypeError, match="delivery must be callable"):
        db.outbox("mail", "print")
    assert db.outbox("mail", print).delivery is print


def test_what_a_transaction_records_is_delivered_if_it_commits(db, path):
    seen = []
    outbox = db.outbox("mail", seen.append)
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        outbox.enqueue("lost", tx=tx)
        _ = 1 / 0
    with db.transaction() as tx:
        job_id = outbox.enqueue("kept", tx=tx)
    assert db.get_job(job_id)["max_attempts"] == 5
    asyncio.run(working(outbox, is_empty(path)))
    assert seen == ["kept"]


def deliveries():
    """Every kind of callable that can deliver."""

    async def coroutine(seen, payload):
        await asyncio.sleep(0)
        seen.append(payload)

    class Object:
        def __init__(self, seen):
            self.seen = seen

        async def __call__(self, payload):
            await coroutine(self.seen, payload)

    class Method(Object):
        async def send(self, payload):
            await coroutine(self.seen, payload)

    return {
        "function": lambda seen: seen.append,
        "partial": lambda seen: functools.partial(coroutine, seen),
        "lambda": lambda seen: lambda payload: coroutine(seen, payload),
        "object": Object,
        "method": lambda seen: Method(seen).send,
    }


@pytest.mark.parametrize("kind", deliveries())
def test_whatever_a_delivery_returns_is_awaited_if_it_can_be(db, path, kind):
    seen = []
    outbox = db.outbox("mail", deliveries()[kind](seen))
    asyncio.run(outbox.aenqueue({"n": 1}))
    asyncio.run(working(outbox, is_empty(path)))
    assert seen == [{"n": 1}]


def test_a_plain_delivery_does_not_block_the_event_loop(db, path):
    entered, proceed = threading.Event(), threading.Event()

    def deliver(_):
        entered.set()
        assert proceed.wait(10)

    async def main():
        async def go_on():
            await until(entered.is_set)
            proceed.set()

        await asyncio.gather(working(outbox, is_empty(path)), go_on())

    outbox = db.outbox("mail", deliver)
    outbox.enqueue(1)
    asyncio.run(main())


def test_a_delivery_that_fails_is_tried_again_until_its_attempts_are_used_up(db, path):
    calls = []

    def deliver(payload):
        calls.append(payload)
        raise ValueError("no route")

    outbox = db.outbox("mail", deliver, max_attempts=3, base_backoff_s=0.001)
    outbox.enqueue("x")
    asyncio.run(working(outbox, lambda: dead(path)))
    assert calls == ["x"] * 3
    ((attempts, error),) = dead(path)
    assert attempts == 3
    assert error.startswith("no route\nTraceback")


@pytest.mark.parametrize(
    ("base_s", "attempt", "least_s"),
    [(5, 1, 5), (5, 2, 10), (5, 5, 80), (5, 11, 3600), (5, 10_000, 3600), (7200, 1, 7200), (7200, 3, 7200), (0, 3, 0)],
)
def test_the_pause_is_never_shorter_than_promised_grows_is_spread_and_has_an_end(db, base_s, attempt, least_s):
    outbox = db.outbox("mail", print, base_backoff_s=base_s)
    pauses = {outbox._backoff_s(attempt) for _ in range(50)}
    assert least_s <= min(pauses) <= max(pauses) <= 1.1 * least_s
    assert len(pauses) > 1 or base_s == 0


def test_an_outbox_takes_its_options_by_position_too(db):
    outbox = honker.Outbox(db, "mail", print, 7, 3, 9)
    assert (outbox.max_attempts, outbox.base_backoff_s, outbox.queue.visibility_timeout_s) == (7, 3, 9)


def test_a_failed_delivery_waits_for_the_pause(db, path):
    def deliver(_):
        raise ValueError("no route")

    outbox = db.outbox("mail", deliver, base_backoff_s=100)
    outbox.enqueue("x")
    sql = "SELECT run_at - unixepoch() FROM _honker_live WHERE last_error IS NOT NULL"
    asyncio.run(working(outbox, lambda: ask(path, sql)))
    assert 90 <= ask(path, sql)[0][0] <= 111


def test_a_delivery_may_choose_its_pause(db, path):
    def deliver(_):
        raise honker.Retryable("later", delay_s=1000)

    outbox = db.outbox("mail", deliver)
    job_id = outbox.enqueue("x")

    def run_at():
        return ask(path, "SELECT run_at - created_at, last_error FROM _honker_live WHERE state = 'pending'")

    asyncio.run(working(outbox, lambda: any(error for _, error in run_at())))
    assert run_at()[0][0] >= 999
    assert run_at()[0][1] == "later"
    assert db.get_job(job_id)["attempts"] == 1


def test_a_cancelled_worker_gives_its_delivery_back_uncharged(db, path):
    entered = asyncio.Event()

    async def deliver(_):
        entered.set()
        await asyncio.Event().wait()

    outbox = db.outbox("mail", deliver)
    outbox.enqueue("x")
    asyncio.run(working(outbox, entered.is_set))
    assert ask(path, "SELECT state, attempts FROM _honker_live") == [("pending", 0)]


def test_a_payload_that_is_no_json_is_a_dead_letter_and_the_next_one_is_delivered(db, path):
    seen = []
    outbox = db.outbox("mail", seen.append)
    outbox.enqueue("bad")
    ask(path, "UPDATE _honker_live SET payload = '{'")
    outbox.enqueue("good")
    asyncio.run(working(outbox, is_empty(path)))
    assert seen == ["good"]
    assert "not JSON" in dead(path)[0][1]


def test_a_stopped_worker_ends_the_delivery_under_way_and_begins_no_other(db, path):
    seen, entered, goes_on = [], asyncio.Event(), asyncio.Event()

    async def deliver(payload):
        entered.set()
        await goes_on.wait()
        seen.append(payload)

    async def main():
        stop = asyncio.Event()
        worker = asyncio.ensure_future(outbox.run_worker("w", stop))
        await entered.wait()
        stop.set()
        await asyncio.sleep(0)  # the worker has seen the stop
        assert not worker.done()
        goes_on.set()
        await asyncio.wait_for(worker, 10)

    outbox = db.outbox("mail", deliver)
    outbox.enqueue(1)
    outbox.enqueue(2)
    asyncio.run(main())
    assert seen == [1]
    assert ask(path, "SELECT payload, state, attempts FROM _honker_live") == [("2", "pending", 0)]


def test_a_stopped_worker_gives_back_a_delivery_that_outlasts_the_grace_period(db, path):
    entered = asyncio.Event()

    async def deliver(_):
        entered.set()
        await asyncio.Event().wait()

    async def main():
        stop = asyncio.Event()
        worker = asyncio.ensure_future(outbox.run_worker("w", stop, grace_s=0.05))
        await entered.wait()
        stop.set()
        await asyncio.wait_for(worker, 10)

    outbox = db.outbox("mail", deliver)
    outbox.enqueue("x")
    asyncio.run(main())
    assert ask(path, "SELECT state, attempts FROM _honker_live") == [("pending", 0)]
