"""Many jobs in one call: each equals the job of a separate call."""

import json
import sqlite3

import pytest

from .clock import early_in_a_second
from .database import call, call_json, claim, enqueue, refused, rows, value

JOB = "queue, payload, state, priority, run_at, max_attempts, attempts, created_at, expires_at, worker_id"


def enqueue_many(conn, payloads, *, run_at=None, delay=None, priority=0, max_attempts=3, expires=None):
    text = payloads if isinstance(payloads, str) else json.dumps(payloads)
    options = [json.dumps(x) if isinstance(x, list) else x for x in (run_at, delay, priority, max_attempts, expires)]
    return call_json(conn, "honker_enqueue_many", "q", text, *options)


def payloads(conn):
    return [payload for (payload,) in rows(conn, "SELECT payload FROM _honker_live ORDER BY id")]


@pytest.mark.parametrize("options", [
    {},
    {"run_at": 4_102_444_800.25, "priority": -3, "max_attempts": 9},
    {"run_at": 5, "expires": 0},
    {"delay": 0},
], ids=str)  # fmt: skip
def test_each_job_is_the_one_that_a_call_of_its_own_makes(conn, options):
    early_in_a_second()
    enqueue(conn, payload='{"n": 1}', **options)
    enqueue_many(conn, [{"n": 1}, {"n": 1}], **options)
    one, *many = rows(conn, f"SELECT {JOB.replace('expires_at', 'round(expires_at)')} FROM _honker_live ORDER BY id")
    assert many == [one, one]


def test_ids_come_in_the_order_of_the_payloads(conn):
    ids = enqueue_many(conn, list(range(1000)))
    assert rows(conn, "SELECT id, payload FROM _honker_live ORDER BY id") == [
        (job_id, str(n)) for n, job_id in enumerate(ids)
    ]


def test_ids_are_right_although_a_trigger_adds_jobs_in_between(conn):
    conn.execute("""
        CREATE TRIGGER doubled AFTER INSERT ON _honker_live WHEN NEW.queue = 'q'
        BEGIN INSERT INTO _honker_live (queue, payload) VALUES ('copies', NEW.payload); END
    """)
    ids = enqueue_many(conn, ["a", "b"])
    assert rows(conn, "SELECT id, payload FROM _honker_live WHERE queue = 'q'") == [(ids[0], '"a"'), (ids[1], '"b"')]


VALUES = [
    {"n": 1}, [], {}, "ü\ud800\n\"", "", None, True, -0.0, 1e300, 2**70, [[[[1]]]], {"a": {"b": [1, {"c": "],["}]}},
]  # fmt: skip


@pytest.mark.parametrize("style", [{}, {"separators": (",", ":")}, {"indent": 2}, {"ensure_ascii": False}], ids=str)
def test_a_payload_is_stored_in_the_characters_it_came_in(conn, style):
    values = VALUES if style.get("ensure_ascii", True) else [value for value in VALUES if "\ud800" not in str(value)]
    texts = [json.dumps(value, **style) for value in values]
    enqueue_many(conn, f"\n [ {' , '.join(texts)} ]\t")
    assert payloads(conn) == texts


def test_a_deep_payload_overflows_no_stack(conn):
    deep = "[" * 100_000 + "]" * 100_000
    enqueue_many(conn, f"[{deep}]")
    assert payloads(conn) == [deep]


@pytest.mark.parametrize("text", ["", "1", "{}", "[1,]", "[1", "[1] 2", "[nan]", "['a']", '["\x00"]', "[1] x"])
def test_what_is_no_json_array_is_refused_before_anything_is_written(conn, text):
    with refused("HONKER_INVALID_ARGUMENT", "payloads_json is not a JSON array"):
        enqueue_many(conn, text)
    assert payloads(conn) == []


def test_no_payloads_are_no_jobs(conn):
    assert enqueue_many(conn, []) == []
    with refused("HONKER_INVALID_ARGUMENT", "queue is empty"):
        call(conn, "honker_enqueue_many", "", "[]", None, None, 0, 3, None)


def test_an_array_gives_each_job_its_own_option(conn):
    early_in_a_second()
    enqueue_many(
        conn, ["a", "b", "c"],
        run_at=[None, 5, 4_102_444_800.5], priority=[1, -1, 0], max_attempts=[1, 2, 3], expires=[None, 3600, -1],
    )  # fmt: skip
    columns = "run_at - created_at, priority, max_attempts, expires_at > created_at"
    assert rows(conn, f"SELECT {columns} FROM _honker_live ORDER BY id") == [
        (0, 1, 1, None),
        (5 - value(conn, "SELECT created_at FROM _honker_live WHERE id = 2"), -1, 2, 1),
        (4_102_444_800.5 - value(conn, "SELECT created_at FROM _honker_live WHERE id = 3"), 0, 3, 0),
    ]


def test_a_delay_of_its_own_wins_over_run_at_and_null_leaves_it(conn):
    enqueue_many(conn, ["a", "b", "c"], run_at=4_102_444_800, delay=[None, 0, -60])
    late, now, overdue = (run_at for (run_at,) in rows(conn, "SELECT run_at FROM _honker_live ORDER BY id"))
    assert late == 4_102_444_800
    assert overdue < now < late


@pytest.mark.parametrize(("options", "problem"), [
    ({"priority": [0, 2**53]}, "priority at position 1 is 9007199254740992; -9007199254740991 to"),
    ({"priority": [0, 10**30]}, "priority at position 1 must be INTEGER"),
    ({"priority": [None, 0]}, "priority at position 0 must be INTEGER"),
    ({"max_attempts": [3, 0]}, "max_attempts at position 1 is 0; 1 to"),
    ({"run_at": [0, 1e18]}, "run_at at position 1 is 1000000000000000000 seconds"),
    ({"delay": [0, 10**400]}, "delay is text, and not a JSON array of numbers"),
    ({"expires": [1]}, "expires has 1 elements for 2 payloads; give one each"),
    ({"expires": [1, 2, 3]}, "expires has 3 elements for 2 payloads"),
    ({"delay": ["1", "2"]}, "delay is text, and not a JSON array of numbers"),
    ({"priority": [True, False]}, "priority is text, and not a JSON array of numbers"),
    ({"priority": "high"}, "priority is text, and not a JSON array of numbers"),
], ids=str)  # fmt: skip
def test_an_option_that_is_refused_adds_no_job_at_all(conn, options, problem):
    with refused("HONKER_INVALID_ARGUMENT", problem):
        enqueue_many(conn, ["a", "b"], **options)
    assert payloads(conn) == []
    assert not conn.in_transaction


def test_a_refused_call_leaves_the_transaction_of_its_caller(conn):
    conn.execute("BEGIN")
    enqueue(conn)
    with refused("HONKER_INVALID_ARGUMENT"):
        enqueue_many(conn, ["a", "b"], max_attempts=[1, 0])
    conn.execute("COMMIT")
    assert payloads(conn) == ["{}"]


def test_a_hundred_thousand_jobs_are_the_most(conn):
    assert len(enqueue_many(conn, [0] * 100_000)) == 100_000
    with refused("HONKER_INVALID_ARGUMENT", "payloads_json has 100001 elements; at most 100000"):
        enqueue_many(conn, [0] * 100_001)


def test_jobs_are_claimed_in_the_order_of_the_payloads(conn):
    enqueue_many(conn, list("abcde"))
    assert [job["payload"] for job in claim(conn, n=9)] == [f'"{letter}"' for letter in "abcde"]


def test_a_table_of_the_application_becomes_jobs_in_one_statement(conn):
    conn.executescript("CREATE TABLE users (name); INSERT INTO users VALUES ('alice'), ('bob')")
    conn.execute("""
        SELECT honker_enqueue_many('q', json_group_array(json_object('to', name)), NULL, NULL, 0, 3, NULL) FROM users
    """).fetchall()
    assert payloads(conn) == ['{"to":"alice"}', '{"to":"bob"}']


def test_a_busy_database_is_busy(conn, connect):
    conn.execute("PRAGMA busy_timeout = 0")
    other = connect()
    other.execute("BEGIN IMMEDIATE")
    with refused("HONKER_BUSY") as caught:
        enqueue_many(conn, ["a"])
    assert caught.value.sqlite_errorcode == sqlite3.SQLITE_BUSY
