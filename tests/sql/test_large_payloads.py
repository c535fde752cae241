"""Large payloads: a claim that only changes the holder of a job must not write the payload again.

The tests count pages in the write-ahead log. SQLite writes only the changed pages of a row, if the row keeps its
length.
"""

import os

import pytest

from .clock import advance
from .database import call, call_json, claim, enqueue, rows, value

LARGE = {"64 KiB": 64 * 1024, "1 MiB": 1024 * 1024}
FEW = 8  # pages; 64 KiB alone are 16
WORKER = "honker-worker-12345-emails-31"


@pytest.fixture
def pages(conn, path):
    """Count the pages that a step writes."""

    def count(step):
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        step()
        length = os.stat(f"{path}-wal").st_size
        return (length - 32) // (4096 + 24) if length else 0

    assert value(conn, "PRAGMA journal_mode") == "wal"
    assert value(conn, "PRAGMA page_size") == 4096
    return count


@pytest.fixture(params=LARGE.values(), ids=list(LARGE))
def payload(request, conn):
    text = "x" * request.param
    enqueue(conn, payload=text, max_attempts=1000)
    return text


def held_by(conn):
    return rows(conn, "SELECT state, worker_id, attempts FROM _honker_live")[0]


def test_the_payload_of_a_job_that_is_enqueued_is_written(conn, pages):
    assert pages(lambda: enqueue(conn, payload="x" * 65_536)) > 16


@pytest.mark.parametrize("timeout_s", [300, 0.75])
def test_a_claim_writes_few_pages(conn, pages, payload, timeout_s):
    assert 0 < pages(lambda: claim(conn, worker=WORKER, timeout_s=timeout_s)) < FEW
    assert held_by(conn) == ("processing", WORKER, 1)
    assert call_json(conn, "honker_get_job", 1)["payload"] == payload


@pytest.mark.parametrize("extensions", [(300, 400), (300.5, 301.5), (300, 300.5), (300.5, 300)])
def test_a_heartbeat_writes_few_pages(conn, pages, payload, extensions):
    claim(conn, worker=WORKER)
    for extend_s in extensions:
        assert 0 < pages(lambda extend_s=extend_s: call(conn, "honker_heartbeat", 1, WORKER, extend_s)) < FEW
    assert call_json(conn, "honker_get_job", 1)["payload"] == payload


def test_a_job_that_changes_hands_writes_few_pages(conn, pages, payload):
    """Repeatedly, over attempts that need more bytes, and workers with names of any common length."""
    for attempt in range(1, 135):
        worker = "w" * (1 + attempt % 40)
        assert 0 < pages(lambda worker=worker: claim(conn, worker=worker)) < FEW
        assert held_by(conn) == ("processing", worker, attempt)
        advance(conn, 62)
    assert call_json(conn, "honker_get_job", 1)["payload"] == payload


def test_a_release_writes_few_pages(conn, pages, payload):
    for _ in range(3):
        claim(conn, worker=WORKER)
        assert 0 < pages(lambda: call(conn, "honker_release", 1, WORKER)) < FEW
    assert held_by(conn) == ("pending", None, 0)
    assert 0 < pages(lambda: claim(conn, worker=WORKER)) < FEW


def test_a_claim_after_a_retry_writes_few_pages(conn, pages, payload):
    claim(conn, worker=WORKER)
    call(conn, "honker_retry", 1, WORKER, 0, "an error of many words, " * 9)
    assert 0 < pages(lambda: claim(conn, worker=WORKER)) < FEW


def test_a_snooze_writes_few_pages(conn, pages, payload):
    for _ in range(3):
        assert 0 < pages(lambda: claim(conn, worker=WORKER)) < FEW
        assert 0 < pages(lambda: call(conn, "honker_snooze", 1, WORKER, 0)) < FEW
    assert 0 < pages(lambda: claim(conn, worker=WORKER)) < FEW


def test_progress_writes_few_pages(conn, pages, payload):
    for done in range(3):
        claim(conn, worker=WORKER)
        assert 0 < pages(lambda done=done: call(conn, "honker_progress", 1, WORKER, done, 9)) < FEW
        assert 0 < pages(lambda: call(conn, "honker_heartbeat", 1, WORKER, 60)) < FEW
        assert 0 < pages(lambda: call(conn, "honker_release", 1, WORKER)) < FEW


def test_a_worker_of_the_longest_name_gets_the_job_all_the_same(conn, payload):
    worker = "w" * 255
    claim(conn, worker=worker)
    assert held_by(conn) == ("processing", worker, 1)
    assert call(conn, "honker_heartbeat", 1, worker, 60.5) == 1
    assert call(conn, "honker_heartbeat", 1, worker, 60) == 1
    assert call_json(conn, "honker_get_job", 1)["payload"] == payload
    assert call(conn, "honker_ack", 1, worker) == 1


def test_only_the_first_release_of_an_unknown_task_writes_the_payload(conn, pages, payload):
    claim(conn, worker=WORKER)
    call(conn, "honker_release", 1, WORKER, None, None, 1)
    for _ in range(2):
        assert 0 < pages(lambda: claim(conn, worker=WORKER)) < FEW
        assert 0 < pages(lambda: call(conn, "honker_release", 1, WORKER, None, None, 1)) < FEW


def test_a_row_that_others_inserted_is_claimed_without_slack(conn):
    conn.execute("INSERT INTO _honker_live (queue, payload) VALUES ('q', ?)", ("x" * 100_000,))
    assert len(claim(conn)) == 1
    call(conn, "honker_retry", 1, "w", 0, "x")
    assert rows(conn, "SELECT slack FROM _honker_live") == [(None,)]


def test_a_small_job_has_no_slack(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_release", 1, "w")
    assert rows(conn, "SELECT slack FROM _honker_live") == [(None,)]


def test_a_requeued_job_has_its_slack_again(conn, pages, payload):
    claim(conn, worker=WORKER)
    call(conn, "honker_fail", 1, WORKER, "x")
    call(conn, "honker_requeue", 1)
    assert 0 < pages(lambda: claim(conn, worker=WORKER)) < FEW
