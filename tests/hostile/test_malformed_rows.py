"""Rows edited by hand.

For any value in any column, an operation skips the row or dead-letters it. Other rows are processed, no wait ends at
"now" for ever, and the bad row can be listed. Each test corrupts one column of one row and then runs ordinary
operations around it.
"""

import json
import sqlite3
import time

import pytest

from ..sql.database import call, call_json, claim, enqueue, refused, rows, value
from ..sql.loading import connect as load

STRANGE = {
    "null": None,
    "text": "soon",
    "number-as-text": " 12",
    "empty": "",
    "blob": b"\x00\xff",
    "minus-one": -1,
    "huge": 1e300,
    "minus-huge": -1e18,
    "infinite": float("inf"),
    "minus-infinite": float("-inf"),
    "fraction": 0.5,
    "last-integer": 2**63 - 1,
    "first-integer": -(2**63),
}
NOT_UTF8 = "CAST(x'c328ff' AS TEXT)"
ABSURD_S = 10**12  # beyond the year 9999

LIVE = ("queue", "payload", "state", "priority", "run_at", "worker_id", "claim_expires_at", "attempts", "max_attempts")
LIVE += ("created_at", "expires_at", "last_error", "id")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A database with a row of everything, as bytes: hundreds of tests begin with it."""
    path = tmp_path_factory.mktemp("hostile") / "app.db"
    conn = load(path)
    call(conn, "honker_bootstrap")
    leased = enqueue(conn)
    claim(conn, worker="w", timeout_s=1000)
    assert (leased, enqueue(conn)) == (1, 2)
    for name in ("bad", "good"):
        call(conn, "honker_scheduler_register", name, "ticks", "@every 60s", "{}", 0, None)
        call(conn, "honker_stream_publish", "t", None, name)
        call(conn, "notify", "c", name)
        call(conn, "honker_lock_acquire", name, "o", 1000)
        call(conn, "honker_rate_limit_try", name, 2, 1_000_000)
        call(conn, "honker_stream_save_offset", name, "t", 1)
    for job_id in (1, 2):
        call(conn, "honker_result_save", job_id, "{}", 1000)
    conn.close()
    return path.read_bytes()


@pytest.fixture
def conn(image, connect):
    conn = connect(":memory:")
    conn.deserialize(image)
    return conn


def spoil(conn, table, row, column, strange):
    """Write by hand, against the declared type. False if a constraint of the table rejects it."""
    expression, parameters = (strange, ()) if strange == NOT_UTF8 else ("?", (strange,))
    try:
        conn.execute(f"UPDATE {table} SET {column} = {expression} WHERE rowid = {row}", parameters)
    except sqlite3.IntegrityError:
        return False
    return True


def each(*columns):
    """Every strange value in each of the columns."""
    cases = {**STRANGE, "not-utf8": NOT_UTF8}
    return [pytest.param(c, v, id=f"{c}-{name}") for c in columns for name, v in cases.items()]


def drain(conn, queue="q"):
    """Claim until a worker may sleep, with its question for the next due time. Returns the claimed ids."""
    got = []
    for _ in range(20):
        jobs = claim(conn, queue, worker="drain", n=10, timeout_s=1000)
        got += [job["id"] for job in jobs]
        next_claim_at = call(conn, "honker_queue_next_claim_at", queue)
        if not jobs and (next_claim_at == 0 or next_claim_at > time.time()):
            return got
    raise AssertionError('the worker is told "now" for good, and never gets anything')


# ----------------------------------------------------------------------------------------------------------------- jobs


@pytest.mark.parametrize(("column", "strange"), each(*LIVE))
@pytest.mark.parametrize("row", [1, 2], ids=["leased", "waiting"])
def test_a_job_edited_by_hand_holds_up_no_other(conn, row, column, strange):
    spoil(conn, "_honker_live", row, column, strange)
    last_id = 2**63 - 1
    if column == "id" and strange == last_id:
        with refused("HONKER_FULL"):  # AUTOINCREMENT never reuses an id, and none is left
            enqueue(conn)
        conn.execute(f"DELETE FROM _honker_live WHERE id = {last_id}")
        conn.execute("UPDATE sqlite_sequence SET seq = 2")
    good = [enqueue(conn, priority=5), enqueue(conn, priority=-5)]
    assert set(good) <= set(drain(conn))
    conn.execute("UPDATE _honker_live SET claim_expires_at = 1 WHERE worker_id = 'drain'")
    assert set(good) <= set(drain(conn))
    call(conn, "honker_sweep_expired", "q")
    ids = value(conn, "SELECT json_group_array(id) FROM _honker_live WHERE worker_id = 'drain'")
    assert call(conn, "honker_ack_batch", ids, "drain") >= len(good)
    assert value(conn, "SELECT count(*) FROM _honker_live WHERE state = 'processing' AND worker_id = 'drain'") == 0


@pytest.mark.parametrize(("column", "strange"), each(*LIVE))
def test_a_job_edited_by_hand_is_dead_lettered_or_found_or_harmless(conn, column, strange):
    """Harmless means that a worker gets the job, or that it waits for a plausible time."""
    if not spoil(conn, "_honker_live", 2, column, strange):
        return
    at = value(conn, "SELECT iif(typeof(run_at) = 'text', NULL, run_at) FROM _honker_live WHERE id <> 1")
    drain(conn)
    dead = dict(rows(conn, "SELECT id, last_error FROM _honker_dead"))
    found = [row["row"] for row in call_json(conn, "honker_malformed_rows", -1) if row["table"] == "_honker_live"]
    claimed = value(conn, "SELECT count(*) FROM _honker_live WHERE worker_id = 'drain'")
    elsewhere = value(
        conn, "SELECT count(*) FROM _honker_live WHERE id <> 1 AND typeof(queue) = 'text' AND queue <> 'q'"
    )
    waits = isinstance(at, int | float) and time.time() < at < ABSURD_S
    assert dead or found or claimed or elsewhere or waits
    assert all(dead.values())


def test_jobs_that_claims_bury_do_not_hide_those_behind_them(conn):
    """More of them than one claim dead-letters, all before the good one."""
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
        INSERT INTO _honker_live (queue, payload, priority, run_at) SELECT 'q', x'ff', 9, -i FROM n
    """)
    good = enqueue(conn)
    assert good in drain(conn)
    assert value(conn, "SELECT count(*) FROM _honker_dead WHERE last_error LIKE 'malformed row: payload%'") == 2500


# ------------------------------------------------------------------------------------------------------------ schedules

SCHEDULE = ("name", "queue", "cron_expr", "payload", "priority", "expires_s", "next_fire_at", "enabled", "time_zone")
SCHEDULE += ("max_attempts", "misfire", "last_error")


@pytest.mark.parametrize(("column", "strange"), each(*SCHEDULE))
def test_a_schedule_edited_by_hand_holds_up_no_other(conn, column, strange):
    spoil(conn, "_honker_scheduler_tasks", 1, column, strange)
    due = value(conn, "SELECT next_fire_at FROM _honker_scheduler_tasks WHERE name = 'good'")
    assert [fire["fire_at"] for fire in call_json(conn, "honker_scheduler_tick", due) if fire["name"] == "good"] == [
        due
    ]
    assert call(conn, "honker_scheduler_soonest") > due or column == "enabled"
    listed = {schedule["name"]: schedule for schedule in call_json(conn, "honker_scheduler_list")}
    assert len(listed) == 2
    assert listed["good"]["next_fire_at"] == due + 60
    assert listed["good"]["last_error"] is None


@pytest.mark.parametrize("strange", ["soon", b"\xff"])
def test_a_schedule_whose_boundary_is_no_instant_says_so(conn, strange):
    spoil(conn, "_honker_scheduler_tasks", 1, "next_fire_at", strange)
    call(conn, "honker_scheduler_tick", 1_000)
    bad = call_json(conn, "honker_scheduler_list")[0]
    assert (bad["name"], bad["next_fire_at"]) == ("bad", None)
    assert "next_fire_at is no number" in bad["last_error"]
    assert [row["row"] for row in call_json(conn, "honker_malformed_rows", -1)] == [1]


# -------------------------------------------------------------------------------------------- streams and notifications


@pytest.mark.parametrize(("column", "strange"), each("topic", "key", "payload", "created_at", "offset"))
def test_an_event_edited_by_hand_holds_up_no_other(conn, column, strange):
    spoil(conn, "_honker_stream", 1, column, strange)
    events = call_json(conn, "honker_stream_read_since", "t", -(2**63), -1)
    assert "good" in [event["payload"] for event in events]
    assert all(isinstance(event["payload"], str) for event in events)
    bad = next((event for event in events if event["payload"] != "good"), None)
    if bad is not None and column in {"key", "payload"} and (isinstance(strange, bytes) or strange == NOT_UTF8):
        assert column in bad["malformed"]
    for since in (0, time.time() - 10, time.time() + 10):
        assert isinstance(call(conn, "honker_stream_offset_at", since), int)


@pytest.mark.parametrize(("column", "strange"), each("channel", "payload", "created_at", "id"))
def test_a_notification_edited_by_hand_holds_up_no_other(conn, column, strange):
    spoil(conn, "_honker_notifications", 1, column, strange)
    sent = call_json(conn, "honker_notification_read_since", "c", -(2**63), -1)
    assert "good" in [notification["payload"] for notification in sent]
    assert all(isinstance(notification["payload"], str) for notification in sent)


@pytest.mark.parametrize(("column", "strange"), each("name", "topic", "offset"))
def test_an_offset_edited_by_hand_is_no_concern_of_another_consumer(conn, column, strange):
    spoil(conn, "_honker_stream_consumers", 1, column, strange)
    assert call(conn, "honker_stream_get_offset", "good", "t") == 1
    assert call(conn, "honker_stream_save_offset", "good", "t", 2) == 1


# --------------------------------------------------------------------------------------- locks, rate limits and results


@pytest.mark.parametrize("strange", ["soon", b"\xff", "12"])
@pytest.mark.parametrize("column", ["expires_at"])
def test_a_lock_that_would_never_end_is_free(conn, column, strange):
    """A text sorts above every number, so a plain comparison would hold the lock for ever."""
    spoil(conn, "_honker_locks", 1, column, strange)
    assert call(conn, "honker_lock_acquire", "bad", "somebody else", 10) == 1


@pytest.mark.parametrize(("column", "strange"), each("name", "owner", "expires_at", "token"))
def test_a_lock_edited_by_hand_is_no_concern_of_another(conn, column, strange):
    spoil(conn, "_honker_locks", 1, column, strange)
    assert call(conn, "honker_lock_acquire", "bad", "new", 10) in {0, 1}
    assert call(conn, "honker_lock_renew", "good", "o", 10) == 1
    assert call(conn, "honker_lock_acquire", "good", "new", 10) == 0
    assert call(conn, "honker_lock_acquire", "another", "new", 10) == 1


@pytest.mark.parametrize("broken", ["DELETE FROM _honker_meta", *(
    f"UPDATE _honker_meta SET value = {value}" for value in ("'many'", "x'00'", "-1", "1.5", "9223372036854775807")
)])  # fmt: skip
def test_no_lock_is_granted_without_a_counter_for_its_token(conn, broken):
    """This happened: without the row of the counter nothing was inserted, and two owners held the same lock."""
    conn.execute(f"{broken} WHERE key = 'lock_token'")
    for owner in ("a", "b"):
        with refused("HONKER_MALFORMED_ROW", "lock_token"):
            call(conn, "honker_lock_acquire", "new", owner, 10)
    assert call(conn, "honker_lock_renew", "good", "o", 10) == 1


@pytest.mark.parametrize(("column", "strange"), each("name", "window_start", "count", "expires_at"))
def test_a_rate_limit_edited_by_hand_is_no_concern_of_another(conn, column, strange):
    spoil(conn, "_honker_rate_limits", 1, column, strange)
    assert [call(conn, "honker_rate_limit_try", "good", 2, 1_000_000) for _ in range(2)] == [1, 0]
    call(conn, "honker_rate_limit_sweep", 0)
    assert call(conn, "honker_rate_limit_try", "another", 1, 60) == 1


@pytest.mark.parametrize(("column", "strange"), each("value", "created_at", "expires_at"))
def test_a_result_edited_by_hand_is_no_concern_of_another(conn, column, strange):
    spoil(conn, "_honker_results", 1, column, strange)
    assert call(conn, "honker_result_get", 2) == "{}"
    call(conn, "honker_result_save", 3, "{}", 10)
    call(conn, "honker_result_sweep")
    assert call(conn, "honker_result_get", 2) == "{}"


@pytest.mark.parametrize("broken", ["DELETE FROM _honker_meta", *(
    f"UPDATE _honker_meta SET value = {value}" for value in ("'many'", "x'00'", "-1", "0", "1.5")
)])  # fmt: skip
def test_a_file_that_does_not_say_its_version_is_left_alone(conn, broken):
    conn.execute(f"{broken} WHERE key = 'schema_version'")
    before = rows(conn, "SELECT * FROM sqlite_master")
    with refused("HONKER_MALFORMED_ROW") as caught:
        call(conn, "honker_bootstrap")
    assert "value" in str(caught.value) or "schema_version" in str(caught.value)
    assert rows(conn, "SELECT * FROM sqlite_master") == before


# --------------------------------------------------------------------------------------------------------------- report


def test_every_malformed_row_is_reported_with_its_table_and_its_problem(conn):
    for table, column in [
        ("_honker_live", "run_at"), ("_honker_scheduler_tasks", "next_fire_at"), ("_honker_stream", "key"),
        ("_honker_stream_consumers", "offset"), ("_honker_notifications", "payload"), ("_honker_locks", "owner"),
        ("_honker_rate_limits", "count"), ("_honker_results", "value"),
    ]:  # fmt: skip
        assert spoil(conn, table, 1, column, b"\xff")
    conn.execute("INSERT INTO _honker_dead (id, queue, payload) VALUES (7, x'ff', '{}')")
    found = call_json(conn, "honker_malformed_rows", -1)
    assert sorted((row["table"], row["row"], row["problem"]) for row in found) == [
        ("_honker_dead", 7, "queue is blob"),
        ("_honker_live", 1, "run_at is blob"),
        ("_honker_locks", 1, "owner is blob"),
        ("_honker_notifications", 1, "payload is blob"),
        ("_honker_rate_limits", 1, "count is blob"),
        ("_honker_results", 1, "value is blob"),
        ("_honker_scheduler_tasks", 1, "next_fire_at is blob"),
        ("_honker_stream", 1, "key is blob"),
        ("_honker_stream_consumers", 1, "offset is blob"),
    ]
    assert len(call_json(conn, "honker_malformed_rows", 2)) == 2


def test_an_ordinary_database_has_no_malformed_rows(conn):
    assert json.loads(call(conn, "honker_malformed_rows", -1)) == []
