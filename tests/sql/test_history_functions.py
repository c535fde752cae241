"""The history of a job: attempts that did not end in success, progress, and finished jobs."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, claim, claimed_ids, enqueue, refused, rows, value
from .jobs import count, live, put


def attempts(conn, job_id=1):
    return call_json(conn, "honker_job_attempts", job_id)


def outcomes(conn, job_id=1):
    return [each["outcome"] for each in attempts(conn, job_id)]


def settle(conn, *settlements, worker="w"):
    return call_json(conn, "honker_work", "q", worker, 0, 60, json.dumps(settlements))["settled"]


def keep_finished(conn, seconds=3_600, queue="q"):
    call(conn, "honker_queue_configure", queue, json.dumps({"keep_finished_s": seconds}))


def finished(conn, before=None, n=10, queue="q"):
    return call_json(conn, "honker_finished_list", queue, before, n)


# ------------------------------------------------------------------------------------------------------------- attempts


def test_a_job_that_has_not_failed_has_no_attempts(conn):
    enqueue(conn)
    assert attempts(conn) == []
    claim(conn)
    assert attempts(conn) == attempts(conn, 99) == []


def test_a_failed_attempt_is_told_with_its_worker_its_time_and_its_error(conn):
    enqueue(conn)
    claim(conn, worker="w1")
    before = time.time()
    call(conn, "honker_retry", 1, "w1", 0, "timed out", 1)
    (attempt,) = attempts(conn)
    assert before - 0.01 <= attempt.pop("ended_at") <= time.time()
    assert attempt == {
        "number": 1, "attempt": 1, "outcome": "failed", "worker_id": "w1", "run_s": None, "error": "timed out",
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["retry", "fail"])
def test_a_settlement_tells_how_long_its_handler_ran(conn, verb):
    enqueue(conn)
    claim(conn)
    assert settle(conn, {"id": 1, "attempt": 1, "do": verb, "error": "x", "run_s": 1.25}) == [1]
    assert attempts(conn)[0]["run_s"] == 1.25


@pytest.mark.parametrize("run_s", ["-1", "1e999"])
def test_a_run_time_that_cannot_be_is_refused(conn, run_s):
    with refused("HONKER_INVALID_ARGUMENT"):
        call(conn, "honker_work", "q", "w", 0, 60, f'[{{"id": 1, "attempt": 1, "do": "ack", "run_s": {run_s}}}]')


def test_a_claim_that_is_not_held_records_nothing(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_retry", 1, "another", 0, "x") == 0
    assert call(conn, "honker_fail", 1, "w", "x", 2) == 0
    assert attempts(conn) == []


def test_a_lost_worker_is_recorded_by_the_claim_that_finds_it(conn):
    enqueue(conn)
    claim(conn, worker="gone")
    advance(conn, 62)
    assert attempts(conn) == []
    claim(conn, worker="next")
    (attempt,) = attempts(conn)
    assert (attempt["outcome"], attempt["worker_id"], attempt["attempt"]) == ("lost", "gone", 1)
    assert attempt["error"] is None


def test_a_lost_worker_is_recorded_of_a_job_that_dies_of_it(conn):
    enqueue(conn, max_attempts=1)
    claim(conn)
    advance(conn, 62)
    assert claim(conn) == []
    assert outcomes(conn) == ["lost"]


def test_a_sweep_records_a_lost_worker(conn):
    enqueue(conn, expires=30)
    claim(conn)
    advance(conn, 62)
    assert call(conn, "honker_sweep_expired", "q") == 1
    assert outcomes(conn) == ["lost"]


def test_a_job_that_was_held_back_by_the_reference_has_lost_no_worker(conn):
    put(conn, state="scheduled", run_at=5)
    assert claimed_ids(conn) == [1]
    assert attempts(conn) == []


def test_a_release_is_no_attempt(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_release", 1, "w", 1)
    assert attempts(conn) == []


def test_attempts_survive_death_and_requeue_and_their_numbers_grow(conn):
    enqueue(conn, max_attempts=2)
    for error in ("a", "b"):
        claim(conn)
        call(conn, "honker_retry", 1, "w", 0, error)
    assert call(conn, "honker_requeue", 1) == 1
    claim(conn)
    call(conn, "honker_fail", 1, "w", "c")
    assert [(each["number"], each["attempt"], each["error"]) for each in attempts(conn)] == [
        (1, 1, "a"), (2, 2, "b"), (3, 1, "c"),
    ]  # fmt: skip


def test_the_first_five_and_the_last_fifteen_attempts_stay(conn):
    enqueue(conn, max_attempts=1_000)
    for number in range(1, 41):
        claim(conn)
        call(conn, "honker_retry", 1, "w", 0, str(number))
        expected = list(range(1, number + 1)) if number <= 20 else [*range(1, 6), *range(number - 14, number + 1)]
        assert [each["number"] for each in attempts(conn)] == expected
    assert [each["error"] for each in attempts(conn)] == [str(each["number"]) for each in attempts(conn)]


@pytest.mark.parametrize(
    ("error", "kept"), [("x" * 9_000, 8_192), ("é" * 5_000, 8_192), ("x" + "é" * 5_000, 8_191), ("x" * 8_192, 8_192)]
)
def test_an_error_is_cut_to_eight_kib_at_a_character(conn, error, kept):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, error)
    seen = attempts(conn)[0]["error"]
    assert len(seen.encode()) == kept
    assert error.startswith(seen)
    assert live(conn, "last_error", 1) == error


@pytest.mark.parametrize("end", ["honker_ack(1, 'w')", "honker_cancel(1)", "honker_cancel_held(1, 'w')"])
def test_a_job_that_ends_takes_its_attempts_along(conn, end):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "x")
    claim(conn)
    assert value(conn, f"SELECT {end}") == 1
    assert count(conn, "_honker_attempts") == 0


def test_a_dead_letter_that_is_pruned_takes_its_attempts_along(conn):
    for _ in range(3):
        enqueue(conn)
    for job_id in claimed_ids(conn, n=3):
        call(conn, "honker_fail", job_id, "w", "x")
    assert count(conn, "_honker_attempts") == 3
    assert call(conn, "honker_dead_prune", "q", None, 1) == 2
    assert rows(conn, "SELECT job_id FROM _honker_attempts") == rows(conn, "SELECT id FROM _honker_dead")


def test_a_policy_that_gives_dead_letters_up_gives_their_attempts_up(conn):
    call(conn, "honker_retention_set", "dead", "q", 60, None)
    for _ in range(2):
        enqueue(conn)
    first, second = claimed_ids(conn, n=2)
    call(conn, "honker_fail", first, "w", "x")
    advance(conn, 62)
    claim(conn)
    call(conn, "honker_fail", second, "w", "x")
    assert rows(conn, "SELECT DISTINCT job_id FROM _honker_attempts") == [(second,)]


def test_the_attempts_of_other_jobs_stay(conn):
    for _ in range(2):
        enqueue(conn)
    for job_id in claimed_ids(conn, n=2):
        call(conn, "honker_retry", job_id, "w", 0, "x")
    claim(conn, n=2)
    call(conn, "honker_ack", 1, "w")
    assert (outcomes(conn, 1), outcomes(conn, 2)) == ([], ["failed"])


# ------------------------------------------------------------------------------------------------------------- finished


def test_finished_jobs_are_not_kept_unless_the_queue_says_so(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_ack", 1, "w")
    assert finished(conn) == []


def test_a_job_that_succeeded_is_kept_with_its_attempts(conn):
    keep_finished(conn)
    enqueue(conn, payload='{"n":1}', priority=3)
    claim(conn, worker="w1")
    call(conn, "honker_retry", 1, "w1", 0, "x")
    claim(conn, worker="w2")
    now = time.time()
    assert call(conn, "honker_ack", 1, "w2", 2) == 1
    (job,) = finished(conn)
    assert now - 1 <= job.pop("finished_at") <= now + 5
    assert now - 5 <= job.pop("created_at") <= now + 5
    assert now + 3_600 <= job.pop("expires_at") <= now + 3_606
    assert job == {
        "id": 1, "queue": "q", "payload": '{"n":1}', "state": "done", "priority": 3, "attempts": 2, "max_attempts": 3,
        "key": None, "worker_id": "w2", "last_error": "x",
    }  # fmt: skip
    assert outcomes(conn) == ["failed"]


@pytest.mark.parametrize("is_claimed", [False, True])
def test_a_cancelled_job_is_kept_as_cancelled(conn, is_claimed):
    keep_finished(conn)
    enqueue(conn)
    if is_claimed:
        claim(conn)
    assert call(conn, "honker_cancel", 1) == 1
    assert [(job["id"], job["state"]) for job in finished(conn)] == [(1, "cancelled")]
    assert outcomes(conn) == ["cancelled"] * is_claimed


def test_a_job_is_kept_by_the_settings_at_its_end(conn):
    keep_finished(conn)
    enqueue(conn)
    claim(conn)
    call(conn, "honker_retry", 1, "w", 0, "x")
    claim(conn)
    keep_finished(conn, None)
    call(conn, "honker_ack", 1, "w")
    assert finished(conn) == []
    assert count(conn, "_honker_attempts") == 0


def test_finished_jobs_come_in_pages_the_newest_first(conn):
    keep_finished(conn)
    for _ in range(7):
        enqueue(conn)
    call(conn, "honker_ack_batch", json.dumps(claimed_ids(conn, n=7)), "w")
    pages, before = [], None
    while page := [job["id"] for job in finished(conn, before, 3)]:
        pages.append(page)
        before = page[-1]
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]
    assert finished(conn, None, 0) == finished(conn, queue="another") == []


def finish_one(conn):
    job_id = enqueue(conn)
    claim(conn)
    call(conn, "honker_ack", job_id, "w")
    return job_id


def test_expired_finished_jobs_are_not_listed_and_go_a_few_at_a_time(conn):
    keep_finished(conn, 60)
    for _ in range(10):
        finish_one(conn)
    conn.execute("INSERT INTO _honker_attempts VALUES (1, 1, 1, 'failed', 'w', 5, NULL, 'x')")
    advance(conn, 70)
    assert finished(conn) == []
    finish_one(conn)
    assert count(conn, "_honker_finished") == 7
    assert count(conn, "_honker_attempts") == 0
    for _ in range(2):
        finish_one(conn)
    assert count(conn, "_honker_finished") == len(finished(conn)) == 3


def test_finished_jobs_that_a_clock_ahead_has_dated_go_too(conn):
    keep_finished(conn, 60)
    finish_one(conn)
    advance(conn, -10 * 365 * 86_400)
    last = finish_one(conn)
    assert rows(conn, "SELECT id FROM _honker_finished") == [(last,)]


# ------------------------------------------------------------------------------------------------------------- progress


def progress(conn, job_id=1):
    text = call(conn, "honker_progress_get", job_id)
    return text and json.loads(text)


def test_a_job_tells_how_far_it_has_come(conn):
    enqueue(conn)
    claim(conn)
    assert progress(conn) is None
    assert call(conn, "honker_progress", 1, "w", 3, 10, "third page", 1) == 1
    assert call(conn, "honker_progress", 1, "w", 4.5, 10, None, 1) == 1
    seen = progress(conn)
    assert abs(seen.pop("updated_at") - time.time()) < 60
    assert seen == {"done": 4.5, "total": 10, "note": None}
    assert count(conn, "_honker_progress") == 1


def test_the_total_is_one_unless_it_is_told(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_progress", 1, "w", 0.5) == 1
    assert progress(conn)["total"] == 1


def test_only_the_first_report_changes_the_row_of_the_job(conn):
    enqueue(conn)
    claim(conn)
    conn.execute("CREATE TABLE changes (id)")
    conn.execute("CREATE TRIGGER t AFTER UPDATE ON _honker_live BEGIN INSERT INTO changes VALUES (NEW.id); END")
    for done in range(5):
        call(conn, "honker_progress", 1, "w", done, 5)
    assert count(conn, "changes") == 1


def test_a_late_handler_reports_nothing(conn):
    enqueue(conn)
    claim(conn)
    assert call(conn, "honker_progress", 1, "another", 1) == 0
    assert call(conn, "honker_progress", 1, "w", 1, 1, None, 2) == 0
    advance(conn, 62)
    assert call(conn, "honker_progress", 1, "w", 1) == 0
    assert progress(conn) is None
    assert live(conn, "ties", 1) is None


@pytest.mark.parametrize(
    "end",
    [
        "honker_ack(1, 'w')", "honker_retry(1, 'w', 0, 'x')", "honker_fail(1, 'w', 'x')", "honker_release(1, 'w')",
        "honker_snooze(1, 'w', 5)", "honker_cancel(1)", "honker_cancel_held(1, 'w')",
    ],
)  # fmt: skip
def test_progress_is_forgotten_when_the_job_leaves_its_worker(conn, end):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_progress", 1, "w", 1)
    assert value(conn, f"SELECT {end}") == 1
    assert progress(conn) is None


def test_progress_is_forgotten_when_the_lease_lapses(conn):
    enqueue(conn)
    claim(conn)
    call(conn, "honker_progress", 1, "w", 1)
    advance(conn, 62)
    assert claimed_ids(conn) == [1]
    assert progress(conn) is None
    call(conn, "honker_progress", 1, "w", 0.25)
    assert progress(conn)["done"] == 0.25


@pytest.mark.parametrize(
    ("argument", "done", "total", "note"),
    [
        ("done", -1, 1, None), ("done", float("inf"), 1, None), ("done", "1", 1, None), ("total", 1, 0, None),
        ("total", 1, -1, None), ("total", 1, float("inf"), None), ("note", 1, 1, "é" * 501), ("note", 1, 1, 5),
    ],
)  # fmt: skip
def test_a_report_out_of_range_is_refused(conn, argument, done, total, note):
    with refused("HONKER_INVALID_ARGUMENT", argument):
        call(conn, "honker_progress", 1, "w", done, total, note)
