"""Lists of jobs, the facts about one, and verbs for many, through the package."""

import asyncio
import itertools
import threading

import honker
import pytest
from honker.cli.jobs import arguments
from honker.codec import SignedCodec

from ..support.workers import run_until


@pytest.fixture
def jobs(queue):
    """Ten waiting jobs, the odd ones delayed."""
    return [queue.enqueue({"n": number}, delay=600 if number % 2 else None) for number in range(10)]


def ids(page):
    return [job.id for job in page.jobs]


def walk(db, **conditions):
    seen, after = [], None
    while True:
        page = db.jobs(after=after, **conditions)
        seen += ids(page)
        after = page.next
        if after is None:
            return seen


def test_the_pages_of_a_list_follow_each_other(db, jobs):
    assert walk(db, limit=3) == jobs[::-1]
    assert walk(db, state="delayed", limit=2) == jobs[1::2][::-1]


def test_a_job_in_a_list_is_a_record(db, queue):
    queue.enqueue({"n": 1}, priority=7)
    job = queue.claim_one("w")
    job.progress(1, 4, "halfway to halfway")
    (listed,) = db.jobs(queue="q").jobs
    assert (listed.state, listed.worker_id, listed.priority, listed["attempts"]) == ("running", "w", 7, 1)
    assert (listed.progress.done, listed.progress.total, listed.progress.note) == (1, 4, "halfway to halfway")


def test_a_task_is_listed_by_its_name(db, queue):
    @queue.task(name="mail")
    def mail(to):
        return to

    mail("a@b")
    (listed,) = db.jobs(task="mail", args={"0": "a@b"}).jobs
    assert listed.task == "mail"
    assert db.jobs(task="mail", args={"0": "c@d"}).jobs == []


def test_a_call_that_a_codec_wrote_is_found_by_its_task(path):
    app = honker.App(path, codec=SignedCodec(["k" * 32]))
    with app, app.using(path):
        app.task("q", name="mail")(print)("a@b")
        app.queue("q").claim_one("w").fail("ValueError: no")
        app.task("q", name="other")(print)(1)
        (listed,) = app.db.jobs(task="mail").jobs
        assert (listed.task, listed.state) == ("mail", "dead")
        assert [group.task for group in app.db.dead_groups()] == ["mail"]
        assert app.db.apply("requeue", task="mail").done == 1
        assert arguments(app.db.job(listed.id).payload) == "(written by the codec 'signed')"


@pytest.mark.parametrize(
    "conditions",
    [{"state": "asleep"}, {"limit": -1}, {"limit": 501}, {"after": "soon"}, {"ids": ["1"]}, {"ids": range(1_001)}],
    ids=str,
)
def test_a_condition_outside_its_range_is_refused(db, conditions):
    with pytest.raises(honker.InvalidArgumentError):
        db.jobs(**conditions)


def test_a_detail_shows_history_relatives_and_result(db, queue):
    parent = queue.enqueue({})
    child = queue.enqueue({"payload": "x" * 500}, after=[parent])
    queue.claim_one("w").retry(0, "boom")
    detail = db.job(parent)
    assert [(each.outcome, each.error) for each in detail.history] == [("failed", "boom")]
    assert (detail.error, detail.attempts) == ("boom", 1)
    assert [each.job_id for each in detail.children] == [child]
    assert [each.job_id for each in db.job(child).parents] == [parent]
    assert len(db.job(child).payload) > 500
    queue.save_result(parent, '"kept"')
    assert db.job(parent).result is not None
    assert db.job(99) is None


def test_the_reason_of_a_pause_is_the_reason_of_a_job(db, queue):
    job_id = queue.enqueue({})
    queue.pause(reason="maintenance")
    assert db.job(job_id).why == "queue paused: maintenance"


def test_a_verb_for_many_tells_its_progress_after_each_batch(db, queue):
    queue.enqueue_many([{}] * 1_200)
    told = []
    applied = db.apply("cancel", queue="q", on_progress=lambda done, skipped: told.append((done, skipped)))
    assert told == sorted(told)
    assert told[-1] == (1_200, 0)
    assert all(later[0] - earlier[0] <= 500 for earlier, later in itertools.pairwise([(0, 0), *told]))
    assert (applied.done, applied.skipped, applied.reasons, applied.is_complete) == (1_200, 0, {}, True)
    assert db.jobs().jobs == []


def test_a_verb_stops_between_batches_if_it_is_told_to(db, queue):
    queue.enqueue_many([{}] * 1_200)
    applied = db.apply("cancel", on_progress=lambda done, _skipped: done < 900)
    assert 900 <= applied.done <= 1_199
    assert not applied.is_complete
    assert len(walk(db, limit=500)) == 1_200 - applied.done


def test_an_exception_between_batches_leaves_what_was_told(db, queue):
    queue.enqueue_many([{}] * 1_200)
    told = []

    def interrupt(done, skipped):
        told.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        db.apply("cancel", on_progress=interrupt)
    assert 0 < told[0] <= 500
    assert len(walk(db, limit=500)) == 1_200 - told[0]


def test_a_limit_ends_a_verb_at_that_number(db, jobs):
    applied = db.apply("cancel", limit=3)
    assert (applied.done, applied.is_complete) == (3, False)
    assert walk(db) == jobs[:-3][::-1]
    assert db.apply("cancel", limit=0).done == 0


def test_a_limit_that_all_jobs_reach_is_complete(db, jobs):
    assert db.apply("cancel", limit=len(jobs)).is_complete


def test_a_verb_takes_any_number_of_ids_and_counts_each_once(db, queue):
    given = queue.enqueue_many([{}] * 1_100)
    applied = db.apply("cancel", ids=[*given, *given, 5_000, 5_001])
    assert (applied.done, applied.skipped, applied.reasons) == (1_100, 2, {"no such job": 2})


def test_a_running_job_that_was_asked_to_end_is_counted_once(db, queue):
    queue.enqueue_many([{}] * 3)
    queue.claim_batch("w", 2)
    applied = db.apply("cancel", state="running")
    assert (applied.done, applied.reasons) == (2, {})
    applied = db.apply("cancel")
    assert (applied.done, applied.skipped, applied.reasons) == (1, 2, {"was asked to end already": 2})
    assert db.request_cancel(1) == "requested"


def test_run_now_tells_why_jobs_are_refused(db, jobs):
    assert db.apply("run_now", ids=jobs).reasons == {"is due already": 5}
    assert len(db.jobs(state="ready").jobs) == 10


def test_others_write_between_the_batches_of_a_verb(db, path, queue):
    queue.enqueue_many([{}] * 2_000)
    written = []
    with honker.open(path) as other:

        def write(done, _skipped):
            thread = threading.Thread(target=lambda: written.append(other.queue("other").enqueue({})))
            thread.start()
            thread.join(10)

        assert db.apply("cancel", queue="q", on_progress=write).done == 2_000
    assert len(written) >= 4


def test_a_requeue_of_all_brings_every_dead_letter_back(db, queue):
    for _ in range(3):
        queue.enqueue({}, max_attempts=1)
        queue.claim_one("w").fail("boom")
    assert [group.count for group in db.dead_groups()] == [3]
    assert db.apply("requeue", queue="q").done == 3
    assert db.dead_groups() == []
    assert len(queue.claim_batch("w", 10)) == 3


def test_the_error_of_a_handler_is_grouped_by_its_class(db, queue):
    @queue.task(retries=1)
    def divide():
        return 1 / 0

    @queue.task(retries=1)
    def look():
        return {}["no"]

    divide()
    look()
    run_until(db, lambda: len(db.jobs(state="dead").jobs) == 2)
    assert {group.error for group in db.dead_groups(since_s=3_600)} == {"ZeroDivisionError", "KeyError"}
    assert all(group.task and not group.is_bounded for group in db.dead_groups(queue="q"))


def test_streams_locks_and_schedules_are_listed(db, hourly, stream):
    stream.publish({})
    stream.save_offset("mailer", 0)
    (listed,) = [each for each in db.streams() if each.topic == "t"]
    assert [(each.name, each.lag, each.lag_is_exact) for each in listed.consumers] == [("mailer", 1, True)]
    with db.lock("mine", owner="me"):
        assert [(each.name, each.owner) for each in db.locks()] == [("mine", "me")]
    assert db.locks() == []
    assert [each.name for each in db.schedules()] == ["hourly"]


def test_a_workflow_is_listed_with_its_jobs(db, queue):
    @queue.task()
    def step():
        return None

    flow = db.workflow("etl")
    flow.add("load", step.s())
    flow.add("clean", step.si(), after=["load"])
    enqueued = flow.enqueue()
    (listed,) = db.workflows().workflows
    assert (listed.id, listed.name, listed.count) == (enqueued.id, "etl", 2)
    assert [(job.name, job.state) for job in listed.jobs] == [("load", "ready"), ("clean", "waiting")]
    assert db.workflows(after=str(listed.id)).workflows == []


def test_the_async_twins_return_the_same(db, jobs, stream):
    stream.publish({})

    async def twins():
        return [
            await db.ajobs(limit=3),
            await db.ajob(jobs[0]),
            await db.adead_groups(),
            await db.astreams(),
            await db.alocks(),
            await db.aworkflows(),
            await db.aschedules(),
        ]

    expected = [
        db.jobs(limit=3),
        db.job(jobs[0]),
        db.dead_groups(),
        db.streams(),
        db.locks(),
        db.workflows(),
        db.schedules(),
    ]
    assert asyncio.run(twins()) == expected
    assert asyncio.run(db.aapply("cancel")).done == len(jobs)
