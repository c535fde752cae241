"""Lists of files with more jobs than an index is read for at once: a page is the same whichever way finds it."""

import json
import random

import pytest

from ..sql.database import call, call_json
from ..sql.loading import connect

pytestmark = pytest.mark.sqlite_only("SQLite's indexes; tests/postgres/test_inspection.py has those of PostgreSQL")

JOBS, LONG_AGO, TO_COME = 16_000, 1_000, 4_102_444_800
LIVE = """INSERT INTO _honker_live (id, queue, payload, state, priority, run_at, claim_expires_at, key)
VALUES (:id, :queue, :payload, :stored, :priority, :run_at, :run_at, :key)"""
DEAD = "INSERT INTO _honker_dead (id, queue, payload, died_at, key) VALUES (:id, :queue, :payload, :run_at, :key)"
FINISHED = """INSERT INTO _honker_finished
  (id, queue, payload, state, priority, attempts, max_attempts, created_at, finished_at, expires_at, key)
VALUES (:id, :queue, :payload, :state, 0, 1, 3, 1, 2, :expires_at, :key)"""
STORED = {"ready": "pending", "delayed": "pending", "running": "processing", "blocked": "blocked"}
STATES = [*STORED, "dead", "done", "cancelled"]


def payload(number):
    return json.dumps({"__honker_task__": {"task": f"t{number % 3}", "args": [], "kwargs": {"n": number % 50}}})


def job(number, queue, state, order, **columns):
    """A job whose place in the indexes follows its id, goes against it, or is arbitrary."""
    place = {"with": number, "against": JOBS - number, "any": random.randrange(JOBS)}[order]
    return {
        "id": number * 3,
        "queue": queue,
        "state": state,
        "stored": STORED.get(state),
        "priority": random.choice([0, 0, 0, 1]),
        "run_at": (TO_COME if state == "delayed" else LONG_AGO) + place,
        "expires_at": TO_COME,
        "key": random.choice([None, "k"]),
        "payload": json.dumps(
            {"__honker_task__": {"task": f"t{number % 3}", "args": [], "kwargs": {"n": number % 50}}}
        ),
    } | columns


def old_and_new(state, other_state, order):
    """The jobs of one queue and state are the oldest ones, and too many to be collected from the index at once."""
    old = JOBS * 2 // 5
    return [
        job(number, "old", state, order) if number < old else job(number, "new", other_state, order)
        for number in range(1, JOBS)
    ]


def blocks(order):
    """Blocks of jobs of one queue and state, in three tables."""
    jobs, number = [], 1
    while number < JOBS:
        queue, state, length = f"q{random.randrange(4)}", random.choice(STATES), random.choice([1, 50, 4_000])
        jobs += [job(each, queue, state, order) for each in range(number, min(JOBS, number + length))]
        number += length
    return jobs


def expired_first():
    """The newest finished jobs of a queue have expired: none of the first ids of its index matches."""
    return [job(number, "q", "done", "with", expires_at=1 if number > 8_000 else TO_COME) for number in range(1, JOBS)]


SHAPES = {
    **{
        f"old_ready_{order}": (lambda order=order: old_and_new("ready", "delayed", order))
        for order in ("with", "against")
    },
    "old_running": lambda: old_and_new("running", "ready", "any"),
    "old_dead": lambda: old_and_new("dead", "dead", "against"),
    "blocks": lambda: blocks("any"),
    "blocks_in_order": lambda: blocks("with"),
    "expired_first": expired_first,
}
FILTERS = [
    {},
    *({"state": state} for state in STATES),
    *({"queue": queue} for queue in ("old", "new", "q0", "q")),
    {"queue": "old", "state": "ready"},
    {"queue": "new", "state": "ready"},
    {"queue": "old", "state": "dead"},
    {"queue": "q1", "state": "delayed"},
    {"queue": "q", "state": "done"},
    {"queue": "old", "key": "k"},
    {"queue": "old", "key": "k", "state": "running"},
    {"key": "k", "state": "ready"},
    {"queue": "old", "task": "t1"},
    {"task": "t2", "args": {"n": 7}},
]


def expected(jobs, conditions):
    def is_match(each):
        call_ = json.loads(each["payload"])["__honker_task__"]
        given = {name: value for name, value in conditions.items() if name in {"state", "queue", "key"}}
        return (
            all(each[name] == value for name, value in given.items())
            and each["expires_at"] > 1
            and conditions.get("task", call_["task"]) == call_["task"]
            and conditions.get("args", call_["kwargs"]) == call_["kwargs"]
        )

    return [each["id"] for each in reversed(jobs) if is_match(each)]


def page(conn, conditions, after, n):
    found = call_json(conn, "honker_jobs_list", json.dumps(conditions), after, n)
    return [each["id"] for each in found["jobs"]], found["next"]


def whole(conn, conditions):
    """The ids of all pages."""
    seen, after = page(conn, conditions, None, 500)
    while after is not None:
        more, further = page(conn, conditions, after, 500)
        assert further is None or further < after
        seen, after = seen + more, further
    return seen


@pytest.mark.parametrize("shape", SHAPES)
def test_a_walk_with_a_filter_is_the_whole_list_filtered(shape):
    random.seed(shape)
    jobs = SHAPES[shape]()
    conn = connect(":memory:")
    call(conn, "honker_bootstrap")
    for statement, states in ((LIVE, STORED), (DEAD, ["dead"]), (FINISHED, ["done", "cancelled"])):
        conn.executemany(statement, [each for each in jobs if each["state"] in states])
    for conditions in FILTERS:
        wanted = expected(jobs, conditions)
        assert whole(conn, conditions) == wanted, conditions
        for n in (1, 50):
            first, _ = page(conn, conditions, None, n)
            assert first == wanted[: len(first)], conditions
    conn.close()
