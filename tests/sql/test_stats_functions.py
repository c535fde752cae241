"""Statistics of queues: the counts, their limits, and their cost."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, dump, enqueue, refused, rows
from .jobs import put

COUNTS = ("ready", "delayed", "processing", "lapsed", "blocked", "waiting", "dead")
LATER = 4_102_444_800


def stats(conn, queue="q", *arguments):
    return call_json(conn, "honker_queue_stats", queue, *arguments)


def counts(conn, *arguments):
    seen = stats(conn, *arguments)
    return {name: seen[name] for name in COUNTS if seen[name]}


def fill(conn, number, **options):
    columns = {"run_at": None, "delay": None, "priority": 0, "max_attempts": 3, "expires": None} | options
    values = [json.dumps(value) if isinstance(value, list) else value for value in columns.values()]
    return call_json(conn, "honker_enqueue_many", "q", json.dumps([0] * number), *values)


def test_a_queue_that_does_not_exist_holds_nothing(conn):
    assert stats(conn) == {
        "queue": "q", "oldest_ready_age_s": None, "next_due_at": None, "paused_at": None,
        "paused_until": None, "pause_reason": None,
        **dict.fromkeys(COUNTS, 0), **{f"{name}_is_exact": True for name in COUNTS},
    }  # fmt: skip


def test_each_state_is_counted(conn):
    fill(conn, 2)
    fill(conn, 3, run_at=LATER)
    fill(conn, 4, delay=-60, priority=9)
    assert len(claim(conn, n=4)) == 4
    call(conn, "honker_fail", 6, "w", "x")
    assert counts(conn) == {"ready": 2, "delayed": 3, "processing": 3, "dead": 1}


def test_ready_and_delayed_jobs_are_told_apart_at_every_priority(conn):
    fill(conn, 6, priority=[3, 3, 2, 1, 1, -1], run_at=[LATER, 5, LATER + 1, LATER - 1, 5, 5])
    assert counts(conn) == {"ready": 3, "delayed": 3}
    assert stats(conn)["next_due_at"] == LATER - 1


def test_a_delayed_job_becomes_ready_with_time(conn):
    fill(conn, 1, delay=60)
    assert counts(conn) == {"delayed": 1}
    advance(conn, 61)
    assert counts(conn) == {"ready": 1}
    assert stats(conn)["next_due_at"] is None


def test_other_queues_do_not_count(conn):
    for queue in ("p", "q", "r"):
        enqueue(conn, queue)
        enqueue(conn, queue, run_at=LATER)
        claim(conn, queue)
        enqueue(conn, queue, max_attempts=1, delay=-9)
        (job_id,) = claimed_ids(conn, queue)
        call(conn, "honker_fail", job_id, "w", "x")
        enqueue(conn, queue)
    assert counts(conn) == {"ready": 1, "delayed": 1, "processing": 1, "dead": 1}


def test_the_age_is_that_of_the_job_that_has_been_due_longest(conn):
    now = time.time()
    fill(conn, 4, priority=[5, 5, 0, -5], run_at=[now - 10, LATER, now - 100.5, now - 50])
    age = stats(conn)["oldest_ready_age_s"]
    assert 100.4 <= age <= time.time() - now + 100.6


def test_a_lapsed_lease_is_counted_as_lapsed_until_it_is_taken_back(conn):
    fill(conn, 3)
    claim(conn, n=2, timeout_s=60)
    claim(conn, n=1, timeout_s=600)
    assert counts(conn) == {"processing": 3}
    advance(conn, 62)
    assert counts(conn) == {"processing": 3, "lapsed": 2}
    claim(conn, n=2)
    assert counts(conn) == {"processing": 3}


@pytest.mark.parametrize(("after_now", "lapsed"), [(-1.5, 1), (-0.2, 1), (5.5, 0)])
def test_a_lease_with_a_fraction_lapses_at_its_millisecond(conn, after_now, lapsed):
    end = time.time() + after_now
    put(conn, state="processing", worker_id="w", claim_expires_at=end if end % 1 else end + 0.1)
    assert stats(conn)["lapsed"] == lapsed


def test_a_paused_queue_says_since_when(conn):
    before = int(time.time())
    call(conn, "honker_queue_pause", "q")
    assert before <= stats(conn)["paused_at"] <= time.time()
    call(conn, "honker_queue_resume", "q")
    assert stats(conn)["paused_at"] is None


# --------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(("limit", "seen", "is_exact"), [(4, 4, False), (5, 5, True), (6, 5, True), (1, 1, False)])
def test_a_count_goes_up_to_the_limit_and_says_whether_that_was_the_end(conn, limit, seen, is_exact):
    fill(conn, 5)
    fill(conn, 5, run_at=LATER)
    for expires_at in (LATER, 5):
        for _ in range(5):
            put(conn, state="processing", worker_id="w", claim_expires_at=expires_at)
    conn.execute("DELETE FROM _honker_live WHERE claim_expires_at = ?", (LATER,))
    conn.execute("INSERT INTO _honker_dead (id, queue, payload) SELECT -id, 'q', '' FROM _honker_live LIMIT 5")
    for _ in range(5):
        put(conn, state="blocked")
        put(conn, state="waiting")
    found = stats(conn, "q", limit)
    assert {name: found[name] for name in COUNTS} == dict.fromkeys(COUNTS, seen)
    assert {found[f"{name}_is_exact"] for name in COUNTS} == {is_exact}


def test_a_count_over_several_priorities_stops_at_the_limit_too(conn):
    fill(conn, 9, priority=[n % 3 for n in range(9)])
    found = stats(conn, "q", 7)
    assert (found["ready"], found["ready_is_exact"]) == (7, False)
    assert counts(conn, "q", 9) == {"ready": 9}
    assert stats(conn, "q", 9)["ready_is_exact"]


def test_delayed_jobs_beyond_the_limit_do_not_hide_ready_ones(conn):
    fill(conn, 50, run_at=LATER, priority=9)
    fill(conn, 2)
    found = stats(conn, "q", 10)
    assert (found["delayed"], found["delayed_is_exact"]) == (10, False)
    assert (found["ready"], found["ready_is_exact"]) == (2, True)


def test_a_queue_of_very_many_priorities_is_counted_as_far_as_the_limit_goes(conn):
    fill(conn, 50, run_at=LATER, priority=list(range(50)))
    fill(conn, 1, priority=-1)
    found = stats(conn, "q", 20)
    assert (found["ready"], found["ready_is_exact"], found["delayed_is_exact"]) == (0, False, False)
    assert counts(conn, "q", 100) == {"ready": 1, "delayed": 50}


def test_ten_thousand_is_the_usual_limit(conn):
    fill(conn, 10_001)
    assert stats(conn)["ready"] == stats(conn, "q", None)["ready"] == 10_000
    assert not stats(conn)["ready_is_exact"]
    assert stats(conn, "q", 10_001)["ready_is_exact"]


def steps(conn, sql):
    """The steps of SQLite's virtual machine that a statement and its inner ones take."""
    taken = [0]

    def count():
        taken[0] += 1

    conn.set_progress_handler(count, 1)
    try:
        conn.execute(sql).fetchone()
    finally:
        conn.set_progress_handler(None, 0)
    return taken[0]


def grow(conn, number):
    """Fill a queue with jobs of each state, by plain SQL."""
    conn.execute("DELETE FROM _honker_live")
    conn.execute("DELETE FROM _honker_dead")
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})"
    conn.executescript(f"""
        {numbers} INSERT INTO _honker_live (queue, payload, priority, run_at) SELECT 'q', '', i % 3, i FROM n;
        {numbers} INSERT INTO _honker_live (queue, payload, priority, run_at) SELECT 'q', '', i % 3, {LATER} + i FROM n;
        {numbers} INSERT INTO _honker_live (queue, payload, state, claim_expires_at)
                  SELECT 'q', '', 'processing', i FROM n;
        {numbers} INSERT INTO _honker_live (queue, payload, state)
                  SELECT 'q', '', iif(i % 2, 'blocked', 'waiting') FROM n;
        {numbers} INSERT INTO _honker_dead (id, queue, payload) SELECT i, 'q', '' FROM n;
    """)


@pytest.mark.parametrize("sql", ["SELECT honker_queue_stats('q', 100)", "SELECT honker_queue_list(NULL, 9, 100)"])
def test_the_cost_does_not_depend_on_what_the_queue_holds(conn, sql):
    grow(conn, 1_000)
    few = steps(conn, sql)
    grow(conn, 30_000)
    assert steps(conn, sql) == pytest.approx(few, rel=0.02)


def test_nothing_is_written(conn, connect):
    fill(conn, 3)
    before = dump(conn)
    reader = connect()
    reader.execute("PRAGMA query_only = ON")
    conn.execute("BEGIN IMMEDIATE")  # no wait for a lock
    assert counts(reader) == {"ready": 3}
    assert len(call_json(reader, "honker_queue_list", None, 9)) == 1
    assert not reader.in_transaction
    conn.execute("COMMIT")
    assert dump(conn) == before


def test_a_transaction_sees_its_own_jobs_and_stays_open(conn):
    conn.execute("BEGIN")
    fill(conn, 3)
    assert counts(conn) == {"ready": 3}
    assert conn.in_transaction
    conn.execute("ROLLBACK")


@pytest.mark.parametrize("sql", ["CREATE TABLE made AS SELECT {} AS x", "INSERT INTO app SELECT {}"])
def test_statistics_can_be_stored_in_passing(conn, sql):
    conn.execute("CREATE TABLE app (x)")
    conn.execute(sql.format("honker_queue_stats('q')"))
    assert not conn.in_transaction


def test_a_row_with_a_malformed_priority_is_counted_too(conn):
    put(conn, priority="high", run_at=5)
    fill(conn, 1)
    assert counts(conn) == {"ready": 2}


# ---------------------------------------------------------------------------------------------------------- every queue


def names(conn, *arguments):
    return [each["queue"] for each in call_json(conn, "honker_queue_list", *arguments)]


def test_a_queue_is_listed_whatever_it_holds(conn):
    enqueue(conn, "waiting")
    enqueue(conn, "delayed", run_at=LATER)
    enqueue(conn, "leased")
    claim(conn, "leased")
    enqueue(conn, "dead")
    call(conn, "honker_fail", claimed_ids(conn, "dead")[0], "w", "x")
    call(conn, "honker_queue_pause", "paused")
    enqueue(conn, "gone")
    call(conn, "honker_ack", claimed_ids(conn, "gone")[0], "w")
    put(conn, queue="parked", state="blocked")
    put(conn, queue="expecting", state="waiting")
    call(conn, "honker_queue_pause", "resumed")
    call(conn, "honker_queue_resume", "resumed")
    assert names(conn, None, 99) == ["dead", "delayed", "expecting", "leased", "parked", "paused", "waiting"]


def test_each_queue_of_a_list_has_its_own_statistics(conn):
    for queue in ("a", "b", "b"):
        enqueue(conn, queue)
    found = call_json(conn, "honker_queue_list", None, 9, 1)
    assert found == [
        {**stats(conn, queue, 1), "oldest_ready_age_s": each["oldest_ready_age_s"]}
        for queue, each in zip("ab", found, strict=True)
    ]
    assert [(each["ready"], each["ready_is_exact"]) for each in found] == [(1, True), (1, False)]


def test_a_list_comes_in_pages(conn):
    expected = sorted(f"queue-{n}" for n in range(25))
    for queue in expected:
        enqueue(conn, queue)
    pages, after = [], None
    while page := names(conn, after, 10):
        pages.append(page)
        after = page[-1]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [name for page in pages for name in page] == expected
    assert names(conn, None, 0) == []


def test_a_list_passes_over_the_jobs_of_a_queue_without_counting_them(conn):
    """It seeks from name to name: the cost grows with the queues, not with the jobs."""
    grow(conn, 20_000)
    enqueue(conn, "r")
    assert names(conn, None, 9, 1) == ["q", "r"]
    assert steps(conn, "SELECT honker_queue_list(NULL, 9, 1)") < 1_500


def test_a_name_that_is_no_text_ends_the_list(conn):
    enqueue(conn, "a")
    put(conn, queue=b"\xff")
    assert names(conn, None, 9) == ["a"]


def test_statistics_of_a_file_without_the_tables_say_so(connect):
    with refused("HONKER_NOT_BOOTSTRAPPED"):
        stats(connect())


def test_the_index_of_dead_letters_comes_with_the_upgrade(conn):
    assert rows(conn, "SELECT name FROM pragma_index_info('_honker_index_dead_age')") == [("queue",), ("died_at",)]
