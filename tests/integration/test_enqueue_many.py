"""Enqueueing many jobs in one Python call: the stored rows, the rejected arguments, and the transaction."""

import asyncio
import contextlib
import json
import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from honker import InvalidArgumentError, InvalidPayloadError

from ..support.locking import ask
from ..support.parameter_ids import stable

COLUMNS = "queue, payload, state, priority, run_at, max_attempts, expires_at, attempts"


def stored(path, columns="payload"):
    return ask(path, f"SELECT {columns} FROM _honker_live ORDER BY id")


def test_the_ids_are_those_of_the_payloads_in_order(queue):
    ids = queue.enqueue_many([{"n": n} for n in range(250)])
    assert [json.loads(queue.get_job(job_id)["payload"]) for job_id in ids] == [{"n": n} for n in range(250)]


@pytest.mark.parametrize(
    "payload", [{"n": 1}, "fresh-3", [1, 2.5, None, True], "ä€\ud800", {2: "two"}, 2**80], ids=repr
)
def test_a_payload_is_stored_as_enqueue_stores_it(path, queue, payload):
    queue.enqueue(payload)
    queue.enqueue_many([payload, payload])
    assert stored(path) == [(json.dumps(payload),)] * 3


def test_a_generator_is_as_good_as_a_list(path, queue):
    assert queue.enqueue_many(n for n in range(3)) == [1, 2, 3]
    assert queue.enqueue_many([]) == []
    assert stored(path) == [("0",), ("1",), ("2",)]


def test_one_option_counts_for_all_jobs(path, queue):
    options = {"run_at": 4_102_444_800, "priority": 7, "max_attempts": 9}
    queue.enqueue({}, **options)
    queue.enqueue_many([{}, {}], **options)
    first, *others = stored(path, COLUMNS)
    assert others == [first, first]
    assert first[3:6] == (7, 4_102_444_800, 9)


def test_a_sequence_gives_each_job_its_own(path, queue):
    when = datetime(2100, 1, 1, tzinfo=UTC)
    queue.enqueue_many(
        "abc",
        run_at=[None, when, Decimal("4102444800.5")],
        priority=(5, 0, -5),
        expires=[None, timedelta(hours=1), 2.5],
        max_attempts=[None, 1, 2],
    )
    columns = "priority, max_attempts, run_at > unixepoch() + 9, round(expires_at - created_at) IN (3600, 3601)"
    assert stored(path, columns) == [(5, 3, 0, None), (0, 1, 1, 1), (-5, 2, 1, 0)]


def test_the_budget_is_the_queues_unless_said(path, db):
    db.queue("five", max_attempts=5).enqueue_many([1, 2])
    assert stored(path, "max_attempts") == [(5,), (5,)]


def test_a_delay_of_each_job_holds_it_back(queue):
    first, second = queue.enqueue_many(["now", "later"], delay=[0, 60])
    assert [job.id for job in queue.claim_batch("w", 9)] == [first]
    assert queue.get_job(second)["state"] == "pending"


@pytest.mark.parametrize("bad", [math.nan, {1, 2}, object(), b"x", [math.inf]], ids=stable)
def test_a_payload_without_a_json_form_is_named_and_nothing_written(path, queue, bad):
    with pytest.raises(InvalidPayloadError, match="at position 1: the payload cannot be written as JSON") as caught:
        queue.enqueue_many(["good", bad, "good"])
    assert caught.value.__cause__ is not None
    assert stored(path) == []


@pytest.mark.parametrize(("options", "problem"), [
    ({"priority": [1, "high"]}, "priority at position 1 is 'high'"),
    ({"priority": [1]}, "priority has 1 elements for 2 payloads"),
    ({"priority": [1, 2**60]}, "priority at position 1 is 1152921504606846976"),
    ({"priority": "high"}, "priority is 'high'"),
    ({"max_attempts": [1, 0]}, "max_attempts at position 1 is 0"),
    ({"delay": [1, math.nan]}, "delay at position 1 must be a number of seconds"),
    ({"delay": [1, math.inf]}, "delay is text, and not a JSON array of numbers"),
    ({"run_at": [0, 10**15]}, "run_at at position 1 is 1000000000000000 seconds"),
    ({"expires": ["soon", 1]}, "expires at position 0 must be a number of seconds"),
], ids=str)  # fmt: skip
def test_an_option_that_is_refused_writes_nothing(path, queue, options, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        queue.enqueue_many(["a", "b"], **options)
    assert stored(path) == []


def test_the_jobs_exist_if_and_only_if_the_transaction_commits(path, db, queue):
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        queue.enqueue_many([1, 2], tx=tx)
        raise ZeroDivisionError
    assert stored(path) == []
    with db.transaction() as tx:
        assert len(queue.enqueue_many([1, 2], tx=tx)) == 2
        assert stored(path) == []
    assert stored(path) == [("1",), ("2",)]


@pytest.mark.sqlite_only("a failed statement aborts the transaction on PostgreSQL")
def test_a_refusal_leaves_the_transaction_usable(path, db, queue):
    with db.transaction() as tx:
        with pytest.raises(InvalidArgumentError):
            queue.enqueue_many([1, 2], max_attempts=[1, 0], tx=tx)
        queue.enqueue("after", tx=tx)
    assert stored(path) == [('"after"',)]


def test_it_works_in_a_coroutine(path, queue):
    assert asyncio.run(queue.aenqueue_many([1, 2], priority=[0, 3])) == [1, 2]
    assert stored(path, "priority") == [(0,), (3,)]
