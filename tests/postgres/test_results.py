"""Results, progress and the history of jobs in several sessions at once."""

import json

import pytest

from .waiting_sessions import open_sessions


@pytest.fixture
def sessions(url):
    with open_sessions(url, 3) as opened:
        yield opened


def start(session):
    """Add a job and claim it."""
    job = session.one("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)")
    assert session.json("SELECT honker_claim_batch('q', 'w', 1, 60)")[0]["id"] == job
    return job


def outcome(session, job):
    return session.json("SELECT honker_job_outcome(%s)", job)["state"]


def test_two_savers_of_one_result_do_so_one_after_the_other(sessions):
    first, second, third = sessions
    first.one("BEGIN")
    first.one("SELECT honker_result_save(1, 'first', 60)")
    saving = second.begin("SELECT honker_result_save(1, 'second', 60)")
    first.one("COMMIT")
    assert saving.result() == 1
    assert third.one("SELECT honker_result_get(1)") == "second"


def test_sweeps_and_savers_pass_over_expired_results_of_others(sessions):
    first, second, _ = sessions
    for job in range(1, 6):
        first.one("SELECT honker_result_save(%s, 'old', 1)", job)
    now = first.one("SELECT honker._now()") + 2_000
    for session in (first, second):
        session.conn.execute(f"SET honker.clock_ms = {now}")
    first.one("BEGIN")
    first.one("SELECT honker_result_save(10, 'new', 60)")
    assert second.one("SELECT honker_result_sweep()") == 1
    first.one("ROLLBACK")
    assert second.one("SELECT honker_result_sweep()") == 4


def test_a_result_is_there_if_and_only_if_its_job_is_acknowledged(sessions):
    first, second, _ = sessions
    job = start(first)
    first.one("BEGIN")
    first.one("SELECT honker_result_save(%s, '42', 60)", job)
    assert first.one("SELECT honker_ack(%s, 'w')", job) == 1
    assert (outcome(second, job), second.one("SELECT honker_result_get(%s)", job)) == ("processing", None)
    first.kill()
    assert (outcome(second, job), second.one("SELECT honker_result_get(%s)", job)) == ("processing", None)
    second.one("SELECT honker_result_save(%s, '42', 60)", job)
    assert second.one("SELECT honker_ack(%s, 'w')", job) == 1
    assert (outcome(second, job), second.one("SELECT honker_result_get(%s)", job)) == ("gone", "42")


def test_a_cancelled_job_is_remembered_unless_its_result_is_there(sessions):
    session = sessions[0]
    first = session.one("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)")
    second = session.one("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL)")
    session.one("SELECT honker_result_save(%s, '42', 60)", second)
    for job in (first, second):
        assert session.one("SELECT honker_cancel(%s)", job) == 1
    assert (outcome(session, first), outcome(session, second)) == ("cancelled", "gone")
    assert session.one("SELECT honker_result_get(%s)", second) == "42"


def test_a_late_report_of_progress_waits_for_the_end_of_the_claim_and_is_refused(sessions):
    first, second, third = sessions
    job = start(first)
    first.one("BEGIN")
    assert first.one("SELECT honker_ack(%s, 'w')", job) == 1
    report = second.begin("SELECT honker_progress(%s, 'w', 1, 2)", job)
    first.one("COMMIT")
    assert report.result() == 0
    assert third.one("SELECT count(*) FROM progress") == 0


def test_an_end_that_meets_a_first_report_of_progress_takes_it_away(sessions):
    first, second, third = sessions
    job = start(first)
    first.one("BEGIN")
    assert first.one("SELECT honker_progress(%s, 'w', 1, 2)", job) == 1
    ack = second.begin("SELECT honker_ack(%s, 'w')", job)
    first.one("COMMIT")
    assert ack.result() == 1
    assert third.one("SELECT count(*) FROM progress") == 0


def test_the_first_and_the_last_attempts_are_kept(sessions):
    session = sessions[0]
    job = session.one("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 100, NULL)")
    for attempt in range(1, 31):
        session.one("SELECT honker_claim_batch('q', 'w', 1, 60)")
        error = "é" * 5_000 if attempt == 30 else "broken"
        assert session.one("SELECT honker_retry(%s, 'w', 0, %s, %s)", job, error, attempt) == 1
    attempts = session.json("SELECT honker_job_attempts(%s)", job)
    assert [each["number"] for each in attempts] == [*range(1, 6), *range(16, 31)]
    assert attempts[-1]["error"] == "é" * 4_096
    session.one("SELECT honker_claim_batch('q', 'w', 1, 60)")
    session.one("SELECT honker_ack(%s, 'w')", job)
    assert session.json("SELECT honker_job_attempts(%s)", job) == []


def test_two_requeues_of_one_dead_letter_bring_back_one_job(sessions):
    first, second, third = sessions
    job = start(first)
    first.one("SELECT honker_fail(%s, 'w', 'broken')", job)
    first.one("BEGIN")
    assert first.one("SELECT honker_requeue(%s)", job) == 1
    requeue = second.begin("SELECT honker_requeue(%s)", job)
    first.one("COMMIT")
    assert requeue.result() == 0
    assert third.json("SELECT honker_claim_batch('q', 'w', 9, 60)")[0]["attempts"] == 1


def test_a_requeue_waits_for_a_job_that_takes_its_unique_key_at_the_same_time(sessions):
    first, second, third = sessions
    job = first.one("SELECT honker_enqueue('q', '{}', %s)", json.dumps({"unique_key": "k"}))
    first.one("SELECT honker_claim_batch('q', 'w', 1, 60)")
    first.one("SELECT honker_fail(%s, 'w', 'broken')", job)
    first.one("BEGIN")
    other = first.one("SELECT honker_enqueue('q', '{}', %s)", json.dumps({"unique_key": "k"}))
    requeue = second.begin("SELECT honker_requeue(%s)", job)
    first.one("COMMIT")
    with pytest.raises(Exception, match=f"HONKER_UNIQUE_KEY_TAKEN: .* by job {other}"):
        requeue.result()
    assert outcome(third, job) == "dead"
