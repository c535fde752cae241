"""Results: kept for waiters until their expiry."""

import time

import pytest

from .clock import advance
from .database import call, rows, value


def save(conn, job_id=1, result="1", ttl=60):
    return call(conn, "honker_result_save", job_id, result, ttl)


def get(conn, job_id=1):
    return call(conn, "honker_result_get", job_id)


def kept(conn):
    return [job_id for (job_id,) in rows(conn, "SELECT job_id FROM _honker_results ORDER BY job_id")]


@pytest.mark.parametrize("result", ["null", "", '{"ü": [1, 2]}', "  1 ", "a\tb\n"])
def test_a_result_comes_back_as_it_was_saved(conn, result):
    assert save(conn, result=result) == 1
    assert get(conn) == result


def test_a_result_that_was_never_saved_is_null(conn):
    save(conn, 1)
    assert get(conn, 2) is None


def test_a_later_result_replaces_an_earlier_one_and_its_time(conn):
    save(conn, result="1", ttl=60)
    conn.execute("UPDATE _honker_results SET created_at = 1000")
    save(conn, result="2", ttl=0)
    assert rows(conn, "SELECT job_id, value, created_at, expires_at FROM _honker_results") == [(1, "2", 1000, None)]


@pytest.mark.parametrize("ttl", [0, -1, 0.0, -0.5])
def test_a_result_without_ttl_is_kept_for_good(conn, ttl):
    save(conn, ttl=ttl)
    advance(conn, 10**9)
    assert get(conn) == "1"


def test_a_result_is_gone_when_its_time_is_over(conn):
    save(conn, ttl=60)
    advance(conn, 58)
    assert get(conn) == "1"
    advance(conn, 3)
    assert get(conn) is None


@pytest.mark.parametrize("ttl", [0.05, 1, 60.25])
def test_a_ttl_is_exact_to_the_millisecond_and_never_short(conn, ttl):
    before = time.time()
    save(conn, ttl=ttl)
    assert before + ttl - 1e-6 <= value(conn, "SELECT expires_at FROM _honker_results") <= time.time() + ttl + 0.002


def test_reading_an_expired_result_deletes_nothing(conn):
    save(conn)
    advance(conn, 61)
    get(conn)
    assert kept(conn) == [1]


def test_a_sweep_deletes_what_has_expired(conn):
    for job_id, ttl in enumerate([10, 20, 3600, 0], start=1):
        save(conn, job_id, ttl=ttl)
    advance(conn, 30)
    assert call(conn, "honker_result_sweep") == 2
    assert kept(conn) == [3, 4]
    assert call(conn, "honker_result_sweep") == 0


def test_expired_results_are_deleted_in_passing(conn):
    for job_id in range(1, 51):
        save(conn, job_id)
    advance(conn, 61)
    for job_id in range(101, 121):
        save(conn, job_id)
    assert kept(conn) == list(range(101, 121))


def test_each_save_deletes_a_few_and_no_more(conn):
    for job_id in range(1, 51):
        save(conn, job_id)
    advance(conn, 61)
    save(conn, 101)
    assert 40 <= len(kept(conn)) < 51


def test_saving_an_expired_result_again_brings_it_back(conn):
    save(conn, result="old")
    advance(conn, 61)
    save(conn, result="new")
    assert get(conn) == "new"


def test_a_result_needs_no_job(conn):
    assert save(conn, -(2**63)) == 1
    assert get(conn, -(2**63)) == "1"
