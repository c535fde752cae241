"""Queues: handles by name, stored jobs, and operations on a single job."""

import asyncio
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from honker import HonkerError, InvalidArgumentError, InvalidPayloadError, MalformedRowError, QueueConflictError

from ..support.locking import ask
from ..support.parameter_ids import stable
from ..support.rows import dead, edit, stored
from ..support.waiting import wait_until

# -------------------------------------------------------------------------------------------------------------- handles


def test_a_queue_of_a_name_is_one_object(db):
    assert db.queue("a") is db.queue("a")
    assert db.queue("a") is not db.queue("b")


def test_a_queue_has_defaults(db):
    queue = db.queue("a")
    assert (queue.db, queue.name, queue.visibility_timeout_s, queue.max_attempts) == (db, "a", 300, 3)
    assert "'a'" in repr(queue)


def test_a_queue_keeps_its_options(db):
    queue = db.queue("a", visibility_timeout_s=60, max_attempts=5)
    assert db.queue("a") is queue
    assert db.queue("a", visibility_timeout_s=60, max_attempts=5) is queue
    assert (queue.visibility_timeout_s, queue.max_attempts) == (60, 5)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"max_attempts": 5}),
        ({}, {"visibility_timeout_s": 60}),
        ({"max_attempts": 5}, {"max_attempts": 3}),
        ({"max_attempts": 5}, {"visibility_timeout_s": 300}),
        ({"max_attempts": 5, "visibility_timeout_s": 60}, {"max_attempts": 5}),
        ({"visibility_timeout_s": 0.5}, {"visibility_timeout_s": 0.25}),
    ],
)
def test_a_queue_opened_with_other_options_is_a_conflict(db, first, second):
    queue = db.queue("a", **first)
    with pytest.raises(QueueConflictError, match="already opened") as caught:
        db.queue("a", **second)
    assert isinstance(caught.value, ValueError)
    assert db.queue("a") is queue


@pytest.mark.parametrize(
    "options", [{"max_attempts": 3}, {"visibility_timeout_s": 300}, {"visibility_timeout_s": 300.0}]
)
def test_an_option_that_is_not_given_counts_as_its_default(db, options):
    assert db.queue("a") is db.queue("a", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"visibility_timeout_s": 0},
        {"visibility_timeout_s": -1},
        {"visibility_timeout_s": "60"},
        {"visibility_timeout_s": float("nan")},
        {"visibility_timeout_s": True},
        {"max_attempts": 0},
        {"max_attempts": -1},
    ],
    ids=repr,
)
def test_an_option_that_is_impossible_is_refused_and_nothing_is_kept(db, options):
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        db.queue("a", **options)
    assert db.queue("a").max_attempts == 3


@pytest.mark.parametrize("value", ["many", object(), [3]], ids=lambda value: type(value).__name__)
def test_attempts_that_are_no_number_are_refused(db, value):
    with pytest.raises(InvalidArgumentError, match="max_attempts"):
        db.queue("a", max_attempts=value)


def test_a_visibility_timeout_may_be_a_span(db):
    assert db.queue("a", visibility_timeout_s=timedelta(minutes=1)).visibility_timeout_s == 60
    assert db.queue("b", visibility_timeout_s=Decimal("0.5")).visibility_timeout_s == 0.5


def test_threads_that_ask_for_one_queue_get_one_object(db):
    queues = []
    threads = [threading.Thread(target=lambda: queues.append(db.queue("a"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, queues))) == 1


# ----------------------------------------------------------------------------------------------------------- enqueueing


@pytest.mark.parametrize(
    ("payload", "text"),
    [({"n": 1}, '{"n": 1}'), ("fresh-3", '"fresh-3"'), (None, "null"), ("ä", '"\\u00e4"'), ([], "[]")],
)
def test_a_payload_is_stored_as_json_dumps_writes_it(queue, path, payload, text):
    queue.enqueue(payload)
    assert stored(path, "payload") == [(text,)]
    assert queue.claim_one("w").payload == payload


@pytest.mark.parametrize("payload", [object(), {1, 2}, float("nan"), float("inf"), b"x"], ids=stable)
def test_a_payload_without_a_json_form_is_refused_and_nothing_is_written(db, queue, path, payload):
    for write in (
        lambda: queue.enqueue(payload),
        lambda: asyncio.run(queue.aenqueue(payload)),
        lambda: queue.save_result(1, payload),
    ):
        with pytest.raises(InvalidPayloadError) as caught:
            write()
        assert isinstance(caught.value, TypeError)
    with db.transaction() as tx, pytest.raises(InvalidPayloadError):
        queue.enqueue(payload, tx=tx)
    assert stored(path) == []
    assert ask(path, "SELECT * FROM _honker_results") == []


def test_enqueueing_answers_the_id_of_the_job(queue, db):
    first, second = queue.enqueue(1), db.queue("other").enqueue(2)
    assert second > first
    assert queue.get_job(first)["id"] == first


def test_the_id_of_a_job_is_never_used_again(queue):
    first = queue.enqueue(1)
    assert queue.cancel(first)
    assert queue.enqueue(2) > first


def test_enqueueing_leaves_notifications_untouched(queue, path):
    job_id = queue.enqueue(1)
    queue.claim_one("w")
    queue.retry(job_id, "w", 0, "")
    assert ask(path, "SELECT * FROM _honker_notifications") == []


def test_a_job_has_the_properties_it_was_given(queue, path):
    run_at = time.time() + 1000
    queue.enqueue(1, None, run_at, None, 7, 2000, 9)
    ((priority, stored_run_at, max_attempts, expires_at),) = stored(path, "priority, run_at, max_attempts, expires_at")
    assert (priority, max_attempts) == (7, 9)
    assert stored_run_at == pytest.approx(run_at, abs=0.002)
    assert expires_at == pytest.approx(time.time() + 2000, abs=5)


@pytest.mark.parametrize("span", [60, 60.0, Decimal(60), timedelta(minutes=1)], ids=lambda value: type(value).__name__)
def test_a_delay_may_be_any_span(queue, span):
    before = time.time()
    queue.enqueue(1, delay=span)
    assert before + 59.99 <= queue.next_claim_at() <= time.time() + 61


@pytest.mark.parametrize(
    "instant",
    [1_900_000_000, 1_900_000_000.0, Decimal(1_900_000_000), datetime.fromtimestamp(1_900_000_000, UTC)],
    ids=lambda value: type(value).__name__,
)
def test_a_run_at_may_be_any_instant(queue, instant):
    queue.enqueue(1, run_at=instant)
    assert queue.next_claim_at() == 1_900_000_000


@pytest.mark.parametrize("options", [{"delay": 0}, {"delay": -5}, {"run_at": 5}, {}], ids=repr)
def test_a_job_whose_time_is_past_is_due_at_once(queue, options):
    queue.enqueue(1, **options)
    assert queue.claim_one("w").payload == 1


@pytest.mark.parametrize("expires", [0, -5])
def test_a_job_that_expires_at_once_is_dead_when_it_is_met(queue, path, expires):
    job_id = queue.enqueue(1, expires=expires)
    wait_until(lambda: time.time() >= queue.get_job(job_id)["expires_at"])  # the next millisecond
    assert queue.claim_one("w") is None
    assert dead(path) == [(job_id, "expired")]


def test_a_delay_wins_over_a_run_at(queue):
    queue.enqueue(1, run_at=1_900_000_000, delay=0)
    assert queue.is_claimable()


@pytest.mark.parametrize(
    "options",
    [
        {"run_at": "tomorrow"},
        {"run_at": True},
        {"run_at": 10**12},
        {"run_at": float("inf")},
        {"delay": "5"},
        {"delay": True},
        {"delay": float("nan")},
        {"delay": 10**12},
        {"priority": 2**53},
        {"priority": -(2**53)},
        {"priority": 1.5},
        {"priority": "high"},
        {"priority": None},
        {"expires": "soon"},
        {"max_attempts": 0},
        {"max_attempts": 10**9},
        {"max_attempts": 2.5},
        {"max_attempts": "3"},
    ],
    ids=repr,
)
def test_an_argument_of_enqueue_that_is_impossible_is_refused_by_name(queue, path, options):
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        queue.enqueue(1, **options)
    assert stored(path) == []


def test_a_number_that_sql_cannot_hold_is_refused_by_value(queue, path):
    with pytest.raises(InvalidArgumentError, match=str(2**70)):
        queue.enqueue(1, priority=2**70)
    assert stored(path) == []


@pytest.mark.parametrize("name", ["", "x" * 256, "a\0b", 5, None, b"q", "\ud800"], ids=repr)
def test_a_name_that_is_impossible_is_refused(db, path, name):
    with pytest.raises(HonkerError):
        db.queue(name).enqueue(1)
    assert stored(path) == []


@pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "with space", "'; DROP TABLE _honker_live; --", "_outbox:a"])
def test_a_name_may_be_any_text(db, name):
    db.queue(name).enqueue(1)
    assert db.queue(name).claim_one("w").queue_name == name


# ---------------------------------------------------------------------------------------------------------- single jobs


def test_a_job_can_be_looked_at(queue):
    job_id = queue.enqueue({"n": 1}, priority=3)
    row = queue.get_job(job_id)
    assert (row["id"], row["queue"], row["payload"], row["state"]) == (job_id, "q", '{"n": 1}', "pending")
    assert (row["priority"], row["worker_id"], row["attempts"], row["max_attempts"]) == (3, None, 0, 3)
    queue.claim_one("w")
    row = queue.get_job(job_id)
    assert (row["state"], row["worker_id"], row["attempts"]) == ("processing", "w", 1)
    assert json.loads(row["payload"]) == {"n": 1}


def test_a_job_that_is_not_there_is_none(queue, db):
    assert queue.get_job(999) is None
    assert db.get_job(999) is None


def test_a_queue_knows_its_own_jobs_and_the_database_all(db, queue):
    job_id = db.queue("other").enqueue(1)
    assert queue.get_job(job_id) is None
    assert queue.cancel(job_id) is False
    assert db.get_job(job_id)["queue"] == "other"
    assert db.cancel(job_id) is True
    assert db.cancel(job_id) is False


def test_a_cancelled_job_is_gone_and_its_lease_lost(queue):
    waiting = queue.enqueue(1, delay=100)
    leased = queue.enqueue(2)
    job = queue.claim_one("w")
    assert queue.cancel(waiting)
    assert queue.cancel(leased)
    assert not job.ack()
    assert queue.claim_one("w") is None


def test_expired_jobs_are_swept_unless_somebody_is_at_work_on_them(queue, path):
    leased, waiting, fresh = queue.enqueue(1, expires=50), queue.enqueue(2, expires=50), queue.enqueue(3, expires=500)
    job = queue.claim_one("w")
    ask(path, "UPDATE _honker_live SET expires_at = 1 WHERE id <> ?", fresh)
    assert queue.sweep_expired() == 1
    assert queue.sweep_expired() == 0
    assert dead(path) == [(waiting, "expired")]
    assert job.id == leased
    assert job.ack()


def test_a_payload_that_somebody_broke_is_an_error_when_it_is_asked_for(queue, path):
    edit(path, "payload = '{broken'", queue.enqueue(1))
    job = queue.claim_one("w")
    with pytest.raises(json.JSONDecodeError):
        _ = job.payload
    assert job.fail("broken")


@pytest.mark.sqlite_only("a column of PostgreSQL refuses values of another type")
def test_a_row_that_somebody_broke_is_a_typed_error_or_passed_over(queue, path):
    edit(path, "payload = x'ff', attempts = 'many'", queue.enqueue(1))
    alive = queue.enqueue(2)
    try:
        jobs = queue.claim_batch("w", 5)
    except MalformedRowError:
        return
    assert alive in [job.id for job in jobs]


# -------------------------------------------------------------------------------------------------------------- threads


def test_threads_enqueue_and_claim_every_job_once(db):
    """Four threads add and four claim; no job is lost, and none is claimed twice."""
    queue, seen, lock = db.queue("q"), [], threading.Lock()

    def add(number):
        for step in range(50):
            queue.enqueue([number, step])

    def take(number):
        while len(seen) < 200:
            for job in queue.claim_batch(f"w{number}", 3):
                with lock:
                    seen.append(tuple(job.payload))
                assert job.ack()

    threads = [threading.Thread(target=work, args=[number]) for work in (add, take) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [(number, step) for number in range(4) for step in range(50)]
    assert db.query("SELECT * FROM _honker_jobs") == []


def test_whole_numbers_of_a_queue_and_its_jobs_may_be_floats(db):
    queue = db.queue("floats", max_attempts=5.0)
    assert queue.max_attempts == 5
    job = db.get_job(queue.enqueue({}, priority=2.0, max_attempts=3.0, expires=3600.0))
    assert (job["priority"], job["max_attempts"]) == (2, 3)
    assert len(queue.enqueue_many([1, 2], priority=[1.0, 2])) == 2
