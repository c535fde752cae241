"""Reports of workers, after the clock of the server was set back too."""

import json

import pytest

from .waiting_sessions import open_sessions

# The clock is set back by an hour.
STEP_MS = 3_600_000


@pytest.fixture
def sessions(url):
    with open_sessions(url, 2) as opened:
        yield opened


def report(session, name, worker_id):
    given = {"name": name, "started_at": 5, "host": "h", "pid": 7, "version": "1", "slots": 2, "busy": 0}
    lists = {"queues": ["q"], "worker_ids": [worker_id], "running": []}
    return session.one("SELECT honker_worker_report(%s)", json.dumps(given | lists))


def at(session, milliseconds):
    session.conn.execute(f"SET honker.clock_ms = {milliseconds}")


def test_the_lease_of_a_dead_worker_ends_in_time_after_the_clock_was_set_back(sessions):
    dead, other = sessions
    ahead = dead.one("SELECT honker._now()") + STEP_MS
    now = ahead - STEP_MS
    at(dead, ahead)
    dead.one("SELECT honker_enqueue('q', '{}', '{}')")
    assert len(dead.json("SELECT honker_claim_batch('q', 'dead', 1, 60)")) == 1
    report(dead, "dead", "dead")
    at(other, now)
    report(other, "other", "other")
    at(other, now + 29_000)
    report(other, "other", "other")
    assert other.one("SELECT claim_expires_at FROM live") == ahead + 60_000
    at(other, now + 31_000)
    report(other, "other", "other")
    assert other.one("SELECT claim_expires_at FROM live") == now + 60_000
    at(other, now + 59_000)
    assert other.json("SELECT honker_claim_batch('q', 'other', 1, 60)") == []
    at(other, now + 61_000)
    assert len(other.json("SELECT honker_claim_batch('q', 'other', 1, 60)")) == 1


def test_the_lease_of_a_worker_that_still_reports_stays(sessions):
    ahead_worker, other = sessions
    ahead = ahead_worker.one("SELECT honker._now()") + STEP_MS
    at(ahead_worker, ahead)
    ahead_worker.one("SELECT honker_enqueue('q', '{}', '{}')")
    ahead_worker.one("SELECT honker_claim_batch('q', 'ahead', 1, 60)")
    for beat in range(6):
        at(ahead_worker, ahead + beat * 10_000)
        report(ahead_worker, "ahead", "ahead")
        at(other, ahead - STEP_MS + beat * 10_000)
        report(other, "other", "other")
    assert other.one("SELECT claim_expires_at FROM live") == ahead + 60_000


def test_two_reports_at_once_do_not_wait_for_each_other(sessions):
    first, second = sessions
    first.one("BEGIN")
    assert report(first, "first", "a") == 10
    assert report(second, "second", "b") == 10
    first.one("ROLLBACK")
    names = [worker["name"] for worker in second.json("SELECT honker_worker_list(NULL, 10)")]
    assert names == ["second"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": None},
        {"colour": 1},
        {"pid": 1.5},
        {"slots": -1},
        {"started_at": "5"},
        {"queues": "q"},
        {"queues": [1]},
        {"running": [{"id": 1}]},
        {"running": [{"id": 1, "queue": "q", "task": "t" * 1_001, "since": 5}]},
        {"is_stopping": 1},
    ],
)
def test_a_report_with_a_wrong_field_is_refused(conn, change):
    given = {"name": "w", "started_at": 5, "host": "h", "pid": 7, "version": "1", "slots": 2, "busy": 0}
    given |= {"queues": ["q"], "worker_ids": ["a"], "running": []}
    assert conn.execute("SELECT honker_worker_report(%s)", [json.dumps(given)]).fetchone()[0] == 10
    with pytest.raises(Exception, match="HONKER_INVALID_ARGUMENT: report_json"):
        conn.execute("SELECT honker_worker_report(%s)", [json.dumps(given | change)])
