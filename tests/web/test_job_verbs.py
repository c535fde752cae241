"""Verbs on the page: pause, resume, requeue, run now, cancel, discard, and undoing them."""

import honker
import pytest
from honker.web import operations

from ..support.waiting import wait_until
from .browsing import browsing, message, undo, words


def states(db):
    return {each.id: each.state for each in db.jobs(limit=500).jobs}


@pytest.fixture
def queue(db):
    return db.queue("q", max_attempts=1)


def dead(queue, error="ValueError: broken", count=1):
    ids = [queue.enqueue({"n": n}) for n in range(count)]
    for _ in ids:
        queue.claim_one("w").fail(error)
    return ids


def test_a_pause_has_a_reason_and_an_end_and_is_undone_by_resume(db, page, queue):
    queue.enqueue(1)
    shown = page.follow(page.submit("/queue/pause", name="q", reason="disk full", for_s="900", back="/queue?name=q"))
    assert message(shown) == "Queue q is paused."
    (stats,) = db.stats()
    assert stats.pause_reason == "disk full"
    assert 899 < stats.paused_until - stats.paused_at < 902  # it began in whole seconds
    path, fields = undo(shown)
    page.follow(page.send(path, fields))
    assert db.stats()[0].paused_at is None


def test_the_pause_of_a_queue_that_nothing_uses_says_so(db, page, queue):
    queue.enqueue(1)
    db.queue("emails").enqueue(1)
    assert message(page.follow(page.submit("/queue/pause", name="q"))) == "Queue q is paused."
    said = message(page.follow(page.submit("/queue/pause", name="emials")))
    assert said.startswith("Queue emials is paused. It was new: the queue 'emials' has no jobs")
    assert said.endswith("did you mean 'emails'?")


def test_a_resume_is_undone_with_the_reason_and_the_end_of_the_pause(db, page, queue):
    queue.enqueue(1)
    queue.pause(reason="disk full", until=4_000_000_000)
    path, fields = undo(page.follow(page.submit("/queue/resume", name="q")))
    assert db.stats()[0].paused_at is None
    page.send(path, fields)
    (stats,) = db.stats()
    assert (stats.pause_reason, stats.paused_until) == ("disk full", 4_000_000_000)


def test_a_message_is_shown_once(page, queue):
    queue.enqueue(1)
    answer = page.submit("/queue/pause", name="q")
    assert message(page.follow(answer)) is not None
    assert message(page.get("/")) is None


def test_selected_dead_letters_are_requeued_at_once(db, page, queue):
    dead(queue, count=3)
    shown = page.follow(page.submit("/jobs/act", verb="requeue", ids=["1", "3"], back="/jobs?state=dead"))
    assert message(shown) == "2 jobs requeued."
    assert states(db) == {1: "ready", 2: "dead", 3: "ready"}


def test_a_delayed_job_runs_now(db, page, queue):
    queue.enqueue(1, delay=600)
    page.submit("/jobs/act", verb="run_now", ids="1")
    assert states(db) == {1: "ready"}


def test_all_that_match_are_requeued_after_a_confirmation(db, page, queue):
    dead(queue, "TimeoutError: late", 3)
    dead(queue, "ValueError: bad", 2)
    form = {"verb": "requeue", "scope": "all", "state": "dead", "queue": "q", "error": "TimeoutError"}
    asked = page.submit("/jobs/act", **form)
    assert "Requeue 3 jobs?" in words(asked)
    assert "error:TimeoutError" in words(asked)
    assert set(states(db).values()) == {"dead"}
    shown = page.follow(page.submit("/jobs/act", **form, confirmed="1"))
    assert message(shown) == "3 jobs requeued."
    assert list(states(db).values()).count("ready") == 3


def test_jobs_are_discarded_only_after_a_confirmation(db, page, queue):
    dead(queue, count=2)
    assert "Discard 1 job?" in words(page.submit("/jobs/act", verb="delete", ids="1"))
    assert states(db) == {1: "dead", 2: "dead"}
    assert message(page.follow(page.submit("/jobs/act", verb="delete", ids="1", confirmed="1"))) == "1 job discarded."
    assert states(db) == {2: "dead"}


def test_the_confirmation_says_how_many_selected_jobs_the_verb_does_not_fit(page, queue):
    dead(queue)
    queue.enqueue(2)
    asked = words(page.submit("/jobs/act", verb="delete", ids=["1", "2"]))
    assert "Discard 1 job?" in asked
    assert "1 of 2 are in no state for it" in asked


def test_cancelled_jobs_are_restored_by_undo(db, page, queue):
    queue.enqueue({"a": [1, None, "é"]}, delay=600, priority=4, key="k", unique_key="u", max_attempts=9)
    queue.enqueue("plain")
    before = [db.job(1), db.job(2)]
    assert "Cancel 2 jobs?" in words(page.submit("/jobs/act", verb="cancel", ids=["1", "2"]))
    shown = page.follow(page.submit("/jobs/act", verb="cancel", ids=["1", "2"], confirmed="1"))
    assert message(shown) == "Jobs: 2 cancelled."
    assert states(db) == {}
    path, fields = undo(shown)
    restored = page.follow(page.send(path, fields))
    assert message(restored) == "2 jobs enqueued again, with new ids."
    after = [db.job(each) for each in sorted(states(db))]
    names = ("payload", "priority", "key", "unique_key", "max_attempts", "run_at", "queue")
    assert [[each[name] for name in names] for each in after] == [[each[name] for name in names] for each in before]
    again = page.follow(page.send(path, fields))
    assert message(again) == "These jobs can no longer be restored."
    assert len(states(db)) == 2


def test_cancelled_jobs_are_restored_by_another_process_of_the_page_and_only_once(db, path, page, queue):
    queue.enqueue("plain")
    form, fields = undo(page.follow(page.submit("/jobs/act", verb="cancel", ids=["1"], confirmed="1")))
    with honker.open(path) as handle, browsing(handle) as other:
        other.client.cookies = page.client.cookies
        assert message(other.follow(other.send(form, fields))) == "1 job enqueued again, with new ids."
    assert message(page.follow(page.send(form, fields))) == "These jobs can no longer be restored."
    assert list(states(db).values()) == ["ready"]


@pytest.mark.parametrize("name", ["1.", "1.forged", "0.x", "²", "", "x", "9" * 19, "9" * 5_000, "-1.x"])
def test_a_name_that_the_page_has_not_given_restores_nothing(db, page, queue, name):
    queue.enqueue("plain")
    page.submit("/jobs/act", verb="cancel", ids=["1"], confirmed="1")
    assert message(page.follow(page.submit("/jobs/restore", name=name))) == "These jobs can no longer be restored."
    assert states(db) == {}


def test_the_cancellation_of_jobs_with_very_large_payloads_cannot_be_undone(db, page, queue):
    queue.enqueue("x" * 1_000_001)
    shown = page.follow(page.submit("/jobs/act", verb="cancel", ids=["1"], confirmed="1"))
    assert message(shown) == "Jobs: 1 cancelled."
    assert ">Undo<" not in shown.text


def test_a_running_job_is_asked_to_end_and_a_parent_cannot_be_restored(db, page, queue):
    queue.enqueue(1)
    queue.claim_one("w")
    shown = page.follow(page.submit("/jobs/act", verb="cancel", ids="1", confirmed="1"))
    assert message(shown) == "Jobs: 1 asked to end."
    assert ">Undo<" not in shown.text
    assert "cancelling" in words(page.get("/job/1"))
    parent = queue.enqueue(2)
    queue.enqueue(3, after=[parent])
    shown = page.follow(page.submit("/jobs/act", verb="cancel", ids=str(parent), confirmed="1"))
    assert ">Undo<" not in shown.text


def test_a_copy_is_a_new_job_with_the_same_payload(db, page, queue):
    dead(queue)
    shown = page.follow(page.submit("/job/copy", id="1"))
    assert message(shown) == "Job 2 has the payload of job 1."
    assert (states(db), db.job(2).payload) == ({2: "ready", 1: "dead"}, db.job(1).payload)
    assert page.submit("/job/copy", id="77").status_code == 404


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"verb": "requeue"}, "No jobs are selected."),
        ({"verb": "requeue", "scope": "all", "state": "ready"}, "Nothing was changed: ready jobs cannot be requeued."),
        ({"verb": "requeue", "scope": "all", "since": "x"}, "Nothing was changed: since:x is not a span"),
        ({"verb": "requeue", "ids": "99"}, "0 jobs requeued. Passed over: 1 no such job."),
        ({"verb": "cancel", "ids": "99", "confirmed": "1"}, "Jobs: 1 no longer there."),
    ],
)
def test_a_form_that_changes_nothing_says_why(page, fields, text):
    shown = page.follow(page.submit("/jobs/act", **fields))
    assert message(shown).startswith(text)
    assert "is-error" in shown.text


@pytest.mark.parametrize(
    "fields",
    [{"verb": "explode", "ids": "1"}, {"ids": "1"}, {"verb": "requeue", "ids": "x"}, {"verb": "requeue", "ids": ""}],
)
def test_a_form_that_is_none_of_ours_is_an_error(page, fields):
    assert page.submit("/jobs/act", **fields).status_code == 400


def test_a_long_operation_shows_its_progress_and_ends(db, page, queue, monkeypatch):
    monkeypatch.setattr(operations, "PATIENCE_S", 0.0)
    queue.enqueue_many(range(2_000), delay=600)
    answer = page.submit("/jobs/act", verb="run_now", scope="all", queue="q", confirmed="1")
    assert answer.headers["location"].startswith("/operation/")
    wait_until(lambda: "2,000 jobs made due" in words(page.follow(answer)), every_s=0.01)
    assert db.stats()[0].ready == 2_000
    assert page.get("/operation/unknown").status_code == 404


def test_a_long_operation_can_be_stopped(db, page, queue, monkeypatch):
    monkeypatch.setattr(operations, "PATIENCE_S", 0.0)
    queue.enqueue_many(range(3_000), delay=600)
    with db.transaction():  # holds its first batch up
        answer = page.submit("/jobs/act", verb="run_now", scope="all", confirmed="1")
        name = answer.headers["location"].rpartition("/")[2].partition("?")[0]
        assert "0 jobs made due so far" in words(page.follow(answer))
        page.submit("/operation/stop", name=name)
    wait_until(lambda: "Stopped before the end" in words(page.follow(answer)), every_s=0.01)
    assert db.stats()[0].delayed == 2_500
