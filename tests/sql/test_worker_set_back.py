"""Jobs of dead workers after the clock was set back: they wait for their lease, not until the clock catches up."""

import pytest

from .clock import advance
from .database import call, claimed_ids, enqueue, rows, value
from .test_worker_functions import report, states

LEASE_S, HOUR, BEATS_S = 300, 3_600, 32


@pytest.fixture
def dead(conn):
    """Job 1 of a worker that died right after its report."""
    enqueue(conn)
    report(conn, name="dead")
    assert claimed_ids(conn, timeout_s=LEASE_S) == [1]
    return conn


def beats(conn, seconds=BEATS_S, **report_of_another):
    """Another worker reports, and again after so many seconds."""
    for passed in (0, seconds):
        advance(conn, passed)
        report(conn, name="living", worker_ids=["other"], **report_of_another)


def lease_s(conn):
    """The rest of the lease of job 1."""
    return value(conn, "SELECT claim_expires_at - unixepoch() FROM _honker_live WHERE id = 1")


@pytest.mark.parametrize("back_s", [60, HOUR, 100 * 86_400])
def test_a_dead_workers_job_waits_for_its_lease_after_the_clock_was_set_back(dead, back_s):
    advance(dead, -back_s)
    beats(dead)
    assert LEASE_S - BEATS_S - 3 <= lease_s(dead) <= LEASE_S - BEATS_S + 5
    assert states(dead) == {"dead": "lost", "living": "running"}
    assert claimed_ids(dead, worker="other") == []
    advance(dead, LEASE_S + 10 - BEATS_S)
    assert claimed_ids(dead, worker="other") == [1]


def test_a_lease_keeps_its_form(dead):
    advance(dead, -HOUR)
    beats(dead)
    assert value(dead, "SELECT typeof(claim_expires_at) FROM _honker_live") == "integer"


def test_a_worker_that_reports_again_keeps_its_lease(dead):
    advance(dead, -HOUR)
    beats(dead, 0)
    report(dead, name="dead")
    beats(dead)
    assert lease_s(dead) > HOUR


def test_a_worker_whose_own_clock_is_ahead_keeps_its_lease_while_it_reports(dead):
    """Each of its reports is dated in the future, and the wait for the next one begins with it."""
    advance(dead, -HOUR)
    for _ in range(5):
        beats(dead, 10)
        dead.execute("UPDATE _honker_workers SET seen_at = unixepoch() + ? WHERE name = 'dead'", [HOUR])
    assert lease_s(dead) > HOUR
    beats(dead)
    assert lease_s(dead) < HOUR


def test_a_report_is_waited_for(dead):
    advance(dead, -HOUR)
    beats(dead, 20)
    assert lease_s(dead) > HOUR
    advance(dead, 12)
    report(dead, name="living")
    assert lease_s(dead) < LEASE_S


def test_a_lease_that_was_taken_after_the_clock_was_set_back_is_left_alone(dead):
    advance(dead, -HOUR)
    assert call(dead, "honker_heartbeat", 1, "w", LEASE_S, 1) == 1
    beats(dead)
    assert LEASE_S - BEATS_S - 3 <= lease_s(dead) <= LEASE_S - BEATS_S + 5


def test_leases_of_others_are_left_alone(dead):
    enqueue(dead)
    enqueue(dead, "elsewhere")
    assert claimed_ids(dead, worker="unregistered", timeout_s=LEASE_S) == [2]
    assert claimed_ids(dead, "elsewhere", timeout_s=LEASE_S) == [3]
    advance(dead, -HOUR)
    beats(dead)
    far = "SELECT group_concat(id) FROM _honker_live WHERE claim_expires_at > unixepoch() + 1000"
    assert value(dead, far) == "2,3"


def test_a_clock_that_is_set_back_again_begins_the_wait_anew(dead):
    advance(dead, -HOUR)
    beats(dead, 20)
    advance(dead, -HOUR)
    beats(dead, 20)
    assert lease_s(dead) > HOUR
    advance(dead, 12)
    report(dead, name="living")
    assert LEASE_S - BEATS_S - 3 <= lease_s(dead) <= LEASE_S - BEATS_S + 5


def test_a_small_correction_of_the_clock_moves_no_lease(dead):
    advance(dead, -9)
    beats(dead)
    assert lease_s(dead) >= LEASE_S + 9 - BEATS_S - 2


def test_a_report_that_rolls_back_moves_no_lease(dead):
    advance(dead, -HOUR)
    beats(dead, 0)
    advance(dead, BEATS_S)
    dead.execute("BEGIN")
    report(dead, name="living")
    dead.execute("ROLLBACK")
    assert lease_s(dead) > HOUR


@pytest.mark.parametrize(("column", "edited"), [("queues", "x"), ("worker_ids", "5"), ("worker_ids", b"\x00")])
def test_a_row_that_was_edited_stops_no_report(dead, column, edited):
    dead.execute(f"UPDATE _honker_workers SET {column} = ?", (edited,))
    advance(dead, -HOUR)
    beats(dead)
    assert lease_s(dead) > HOUR


PER_REPORT = 1_000


def claim_many(conn, count, **options):
    payloads = "[" + ", ".join("0" for _ in range(count)) + "]"
    call(conn, "honker_enqueue_many", "q", payloads, None, None, 0, 3, None)
    return claimed_ids(conn, n=count, **options)


def lengths(conn):
    """How many leases end within how many seconds from now, both rounded to the lengths of the tests."""
    found = rows(
        conn,
        "SELECT 100 * round((claim_expires_at - unixepoch()) / 100.0) AS rest, count(*) FROM _honker_live GROUP BY 1",
    )
    return {int(rest): count for rest, count in found}


def test_many_leases_are_moved_in_steps(conn):
    report(conn, name="dead")
    claim_many(conn, 2 * PER_REPORT + 100, timeout_s=LEASE_S)
    advance(conn, -HOUR)
    beats(conn)
    assert lengths(conn) == {LEASE_S: PER_REPORT, HOUR + LEASE_S: PER_REPORT + 100}
    assert states(conn)["dead"] == "running"
    report(conn, name="living")
    assert lengths(conn) == {LEASE_S: 2 * PER_REPORT, HOUR + LEASE_S: 100}
    report(conn, name="living")
    assert lengths(conn) == {LEASE_S: 2 * PER_REPORT + 100}
    assert states(conn)["dead"] == "lost"


def test_no_lease_is_moved_twice(conn):
    """A lease that is longer than the step of the clock still ends after the report of its worker once it is moved."""
    report(conn, name="dead")
    claim_many(conn, PER_REPORT + 100, timeout_s=LEASE_S)
    claim_many(conn, 10, timeout_s=3 * HOUR)
    advance(conn, -HOUR)
    beats(conn)
    assert lengths(conn) == {LEASE_S: PER_REPORT, HOUR + LEASE_S: 100, 4 * HOUR: 10}
    for _ in range(2):
        report(conn, name="living")
        assert lengths(conn) == {LEASE_S: PER_REPORT + 100, 3 * HOUR: 10}


def test_a_worker_that_reports_between_two_steps_keeps_the_rest_of_its_leases(conn):
    report(conn, name="dead")
    claim_many(conn, PER_REPORT + 100, timeout_s=LEASE_S)
    advance(conn, -HOUR)
    beats(conn)
    report(conn, name="dead")
    beats(conn)
    assert sum(count for rest, count in lengths(conn).items() if rest > HOUR) == 100
