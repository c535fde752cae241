"""A transaction that stays open keeps dead entries in the indexes. Claims do not walk over all of them each time."""

import json

import pytest

from tests.support.waiting import wait_until

from .sessions import advance, call, claim, connect, enqueue


@pytest.fixture
def held(conn, url):
    """A queue of 3,000 jobs behind the entries of 60,000 that have ended, which another session still sees."""
    conn.execute(
        "INSERT INTO live (queue, payload, priority, run_at, max_attempts, created_at)"
        " SELECT 'q', '{}', 0, i, 3, 5 FROM generate_series(1, 63000) AS i"
    )
    with connect(url) as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM live")
        conn.execute("DELETE FROM live WHERE run_at <= 60000")
        yield conn


def buffers(conn):
    """The pages that one claim of this session reads."""
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT honker_claim_batch('q', 'w', 1, 60)"
    plan = conn.execute(explain).fetchone()[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_most_claims_begin_where_the_last_one_has_found_the_first_job(held):
    pages = sorted(buffers(held) for _ in range(20))
    assert pages[0] * 10 < pages[-1]
    assert pages[10] * 10 < pages[-1]


def test_a_better_priority_is_claimed_at_once(held):
    claim(held, "q")
    better = enqueue(held, "q", priority=1)
    assert [job["id"] for job in claim(held, "q")] == [better]


def test_a_queue_is_claimed_to_its_end_and_jobs_put_back_come_again(held):
    first = claim(held, "q", 2000)
    assert len(first) == 2000
    assert call(held, "honker_release", first[0]["id"], "w", 1) == 1
    second = claim(held, "q", 2000)
    rest = claim(held, "q", 2000)
    assert len(second) + len(rest) == 1001
    assert first[0]["id"] in {job["id"] for job in second + rest}
    assert claim(held, "q") == []
    advance(held, 61)
    again = []

    def claims_again():
        # A look at lapsed leases that took long is made again a moment later.
        again.extend(json.loads(call(held, "honker_claim_batch", "q", "w", 9, 60)))
        return again

    wait_until(claims_again)
    assert [job["attempts"] for job in again] == [2] * 9
