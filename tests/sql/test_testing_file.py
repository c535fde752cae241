"""The clock of a testing file: every process that has the file open reads it, and no other file has one."""

import subprocess
import sys

import pytest

from . import loading
from .database import call, call_json, claim, enqueue, refused, rows, value

START = 1_800_000_000


@pytest.fixture
def stopped(conn):
    """A connection to a testing file whose clock stands still at START."""
    assert call(conn, "honker_test_clock_stop", START) == START
    return conn


def test_an_ordinary_file_has_no_clock_of_its_own(conn):
    assert call(conn, "honker_test_clock_get") is None
    assert abs(call(conn, "honker_clock") - value(conn, "SELECT unixepoch()")) < 60


def test_a_clock_that_stands_still_moves_only_when_it_is_advanced(stopped):
    enqueue(stopped, delay=60)
    assert value(stopped, "SELECT run_at FROM _honker_live") == START + 60
    call(stopped, "honker_test_clock_advance", 59.999)
    assert claim(stopped) == []
    assert call(stopped, "honker_test_clock_advance", 0.001) == START + 60
    assert len(claim(stopped)) == 1


def test_a_clock_that_runs_is_ahead_of_the_system_by_its_offset(conn):
    call(conn, "honker_test_clock_run", 3600)
    assert 3590 < call(conn, "honker_clock") - value(conn, "SELECT unixepoch()") < 3660
    call(conn, "honker_test_clock_advance", 60)
    assert call_json(conn, "honker_test_clock_get") == {"offset_s": 3660, "stopped_at": None}
    call(conn, "honker_test_clock_run", 0)
    assert abs(call(conn, "honker_clock") - value(conn, "SELECT unixepoch()")) < 60


def test_a_lease_lapses_when_the_clock_is_advanced(stopped):
    enqueue(stopped)
    assert len(claim(stopped, timeout_s=300.5)) == 1
    call(stopped, "honker_test_clock_advance", 300.5)
    assert claim(stopped) == []
    call(stopped, "honker_test_clock_advance", 0.001)
    assert [job["attempts"] for job in claim(stopped)] == [2]


def test_expiries_locks_rates_results_and_schedules_follow(stopped):
    enqueue(stopped, "expiring", expires=60)
    assert call(stopped, "honker_lock_acquire", "l", "a", 60) > 0
    assert call(stopped, "honker_rate_limit_try", "r", 1, 60) == 1
    assert call(stopped, "honker_rate_limit_try", "r", 1, 60) == 0
    call(stopped, "honker_result_save", 7, "42", 60)
    call(stopped, "honker_scheduler_register", "s", "beat", "@every 60s", "{}", 0, None)
    call(stopped, "honker_test_clock_advance", 61)
    assert claim(stopped, "expiring") == []
    assert rows(stopped, "SELECT queue FROM _honker_dead") == [("expiring",)]
    assert call(stopped, "honker_lock_acquire", "l", "b", 60) > 0
    assert call(stopped, "honker_rate_limit_try", "r", 1, 60) == 1
    assert call(stopped, "honker_result_get", 7) is None
    assert call(stopped, "honker_scheduler_soonest") <= call(stopped, "honker_clock")
    call(stopped, "honker_scheduler_tick", call(stopped, "honker_clock"))
    assert len(claim(stopped, "beat")) == 1


def test_a_file_that_has_had_a_job_never_becomes_a_testing_file(conn):
    enqueue(conn)
    (job,) = claim(conn)
    assert call(conn, "honker_ack", job["id"], "w") == 1
    for name, argument in (("run", 0), ("stop", START), ("advance", 60)):
        with refused("HONKER_INVALID_ARGUMENT", "this file has had jobs"):
            call(conn, f"honker_test_clock_{name}", argument)
    assert call(conn, "honker_test_clock_get") is None


def test_the_clock_of_a_testing_file_is_set_while_it_has_jobs(stopped):
    enqueue(stopped)
    call(stopped, "honker_test_clock_stop", START - 60)
    assert call(stopped, "honker_clock") == START - 60


@pytest.mark.parametrize("at", [-62_135_596_800, 253_402_300_799])
def test_the_clock_does_not_leave_the_years_that_instants_have(conn, at):
    call(conn, "honker_test_clock_stop", at)
    if at > 0:
        with refused("HONKER_INVALID_ARGUMENT", "years 1 to 9999"):
            call(conn, "honker_test_clock_advance", 1)
    assert call(conn, "honker_clock") == at


def test_connections_that_used_the_file_before_follow(conn, connect):
    other = connect()
    assert call(other, "honker_clock") > 0
    conn.execute("BEGIN")
    call(conn, "honker_test_clock_stop", START)
    assert call(other, "honker_clock") != START, "the clock is not committed"
    conn.execute("COMMIT")
    assert call(conn, "honker_clock") == START
    call(conn, "honker_test_clock_advance", 5)
    assert call(other, "honker_clock") == START + 5


def test_a_connection_that_used_the_file_before_it_had_tables_follows(connect):
    early = connect()
    assert call(early, "honker_clock") > 0
    conn = connect()
    call(conn, "honker_bootstrap")
    call(conn, "honker_test_clock_stop", START)
    assert call(early, "honker_clock") == START


def test_another_process_follows(stopped, path):
    program = (
        "import sqlite3, sys; from tests.sql import loading; "
        "conn = loading.connect(sys.argv[1]); print(conn.execute('SELECT honker_clock()').fetchone()[0])"
    )
    call(stopped, "honker_test_clock_advance", 3600)
    told = subprocess.run(
        [sys.executable, "-c", program, path], cwd=loading.ROOT, capture_output=True, text=True, check=True
    )
    assert float(told.stdout) == START + 3600


def test_a_clock_that_is_rolled_back_leaves_an_ordinary_file(conn):
    conn.execute("BEGIN")
    call(conn, "honker_test_clock_stop", START)
    assert call(conn, "honker_clock") == START
    conn.execute("ROLLBACK")
    assert call(conn, "honker_clock") != START
    assert call(conn, "honker_test_clock_get") is None


def test_a_connection_looks_once_for_the_clock_of_an_ordinary_file(conn):
    statements = []
    call(conn, "honker_clock")
    conn.set_trace_callback(statements.append)
    enqueue(conn)
    claim(conn)
    call(conn, "honker_clock")
    assert statements != []
    assert [sql for sql in statements if "test_clock" in sql] == []


def test_a_clock_edited_into_text_is_reported_and_moves_no_time(stopped):
    stopped.execute("UPDATE _honker_meta SET value = 'soon' WHERE key = 'test_clock_stopped_ms'")
    with refused("HONKER_MALFORMED_ROW"):
        call(stopped, "honker_test_clock_get")
    assert call(stopped, "honker_clock") == START, "as it was last read"
