"""Files of releases of the reference that are newer than ours: with objects and states that we do not know."""

import shutil
import sqlite3
import time

import pytest

from .clock import advance
from .database import call, call_json, claimed_ids, enqueue, rows, value
from .jobs import put
from .test_schema import REFERENCE_FILE, schema

HELD_BACK = ["scheduled", "delayed", "deferred", "retryable"]

OLD_INDEXES = {
    "_honker_live_ready": "_honker_live (queue, priority DESC, run_at) WHERE state = 'pending'",
    "_honker_live_expiry": "_honker_live (queue, expires_at) WHERE expires_at IS NOT NULL",
    "_honker_rate_limits_expiry": "_honker_rate_limits (expires_at) WHERE expires_at IS NOT NULL",
    "_honker_results_expiry": "_honker_results (expires_at) WHERE expires_at IS NOT NULL",
    "_honker_dead_age": "_honker_dead (queue, died_at)",
    "_honker_token_buckets_full": "_honker_token_buckets (full_at)",
}


@pytest.fixture
def newer_file(path):
    """A file of the reference with indexes under all names that ours had, and with a column under a name of ours."""
    shutil.copy(REFERENCE_FILE, path)
    conn = sqlite3.connect(path)
    for name in OLD_INDEXES:
        conn.execute(f"CREATE INDEX {name} ON _honker_live (queue, state, run_at)")
    conn.execute("ALTER TABLE _honker_live ADD COLUMN last_error TEXT")
    conn.execute("INSERT INTO _honker_live (queue, payload, state, run_at) VALUES ('q', '{}', 'scheduled', 1000)")
    conn.commit()
    conn.close()
    return path


def test_the_file_is_upgraded_and_keeps_its_indexes(newer_file, connect, conn):
    call(conn, "honker_bootstrap")
    assert schema(conn).keys() >= OLD_INDEXES.keys()
    assert all("state,run_at" in schema(conn)[name] for name in OLD_INDEXES)
    assert claimed_ids(conn, "q") != []


@pytest.fixture
def version_7(conn):
    """A file of ours with its indexes under their earlier names."""
    for name in OLD_INDEXES:
        conn.execute(f"DROP INDEX {name.replace('_honker_', '_honker_index_')}")
    conn.execute("DROP INDEX _honker_index_live_other")
    for name in ("live_line", "live_unique"):
        conn.execute(f"DROP INDEX _honker_index_{name}")
    for name in ("keys", "unique", "dependencies", "outcomes", "attempts", "finished", "progress"):
        conn.execute(f"DROP TABLE _honker_{name}")
    for name, definition in OLD_INDEXES.items():
        conn.execute(f"CREATE INDEX {name} ON {definition}")
    conn.execute("UPDATE _honker_meta SET value = 7 WHERE key IN ('schema_version', 'min_writer_version')")
    return conn


def test_an_earlier_file_of_ours_gets_indexes_with_names_of_its_own(version_7, connect, tmp_path):
    fresh = connect(tmp_path / "fresh.db")
    call(fresh, "honker_bootstrap")
    call(version_7, "honker_bootstrap")
    assert schema(version_7) == schema(fresh)
    assert sorted(rows(version_7, "SELECT * FROM _honker_meta")) == sorted(rows(fresh, "SELECT * FROM _honker_meta"))


def test_no_index_of_ours_has_a_name_of_the_reference(conn):
    indexes = {
        name for (name,) in rows(conn, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    }
    of_the_reference = {"_honker_stream_topic", "_honker_notifications_recent", "_honker_live_processing_deadline"}
    assert {name for name in indexes if not name.startswith("_honker_index_")} == of_the_reference


@pytest.mark.parametrize("state", HELD_BACK)
def test_a_job_that_is_held_back_is_claimed_when_it_is_due(conn, state):
    due_at = int(time.time()) + 100
    put(conn, state=state, run_at=due_at)
    assert claimed_ids(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == due_at
    advance(conn, 101)
    assert claimed_ids(conn) == [1]
    assert call_json(conn, "honker_get_job", 1)["state"] == "processing"


def test_jobs_that_were_held_back_keep_the_order_of_claims(conn):
    low = enqueue(conn, run_at=1000)
    high = put(conn, state="scheduled", run_at=2000, priority=5)
    early = put(conn, state="scheduled", run_at=500)
    assert claimed_ids(conn, n=3) == [high, early, low]


def test_a_job_that_was_held_back_beyond_its_expiry_or_attempts_is_dead_lettered(conn):
    put(conn, state="scheduled", run_at=1000, expires_at=1001)
    put(conn, state="scheduled", run_at=1000, attempts=3, max_attempts=3)
    assert claimed_ids(conn, n=2) == []
    assert [error for (error,) in rows(conn, "SELECT last_error FROM _honker_dead ORDER BY id")] == [
        "expired",
        "max attempts exceeded",
    ]


def test_a_job_that_is_held_back_can_be_cancelled_and_swept(conn):
    put(conn, state="scheduled", run_at=4_000_000_000)
    put(conn, state="scheduled", run_at=4_000_000_000, expires_at=1000)
    assert call_json(conn, "honker_job_outcome", 1)["state"] == "pending"
    assert call(conn, "honker_cancel", 1) == 1
    assert call(conn, "honker_sweep_expired", "q") == 1


def test_a_job_in_another_unknown_state_is_reported_and_left_alone(conn):
    put(conn, state="archived", run_at=1000)
    put(conn, state="scheduled", run_at=4_000_000_000)
    assert claimed_ids(conn) == []
    assert call(conn, "honker_queue_next_claim_at", "q") == 4_000_000_000
    assert call_json(conn, "honker_malformed_rows", 10) == [
        {"table": "_honker_live", "row": 1, "problem": "state is none of pending, processing, blocked and waiting"}
    ]
    assert value(conn, "SELECT state FROM _honker_live WHERE id = 1") == "archived"
