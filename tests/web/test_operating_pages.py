"""The pages of streams, locks, workers, schedules, workflows, limits and throughput, by requests in this process."""

import asyncio
import re
import time

import honker
import pytest
from honker import chain, chord, crontab, every_s, group

from ..support.waiting import until
from .browsing import message, undo, words


def read(page, path):
    answer = page.get(path)
    assert answer.status_code == 200, answer.text
    return words(answer)


# ------------------------------------------------------------------------------------------------------------- streams


def test_streams_show_the_lag_of_each_consumer(db, page):
    orders = db.stream("orders")
    offsets = [orders.publish({"order": number}) for number in range(5)]
    orders.save_offset("billing", offsets[1])
    text = read(page, "/streams")
    assert "orders" in text
    assert "billing 3" in text


def test_a_stream_shows_its_newest_events_and_leads_to_older_ones(db, page):
    """The events of another topic lie between, as offsets are shared."""
    for number in range(80):
        db.stream("orders").publish({"order": number})
        db.stream("noise").publish_many([0] * 7)
    shown, path = [], "/stream?topic=orders"
    while path:
        answer = page.get(path)
        shown += [int(each) for each in re.findall(r"&#34;order&#34;: (\d+)", answer.text)]
        older = re.search(r'href="([^"]*before=[^"]*)">Older', answer.text)
        path = older and older[1].replace("&amp;", "&")
    assert shown == list(reversed(range(80)))


def test_an_event_is_shown_whole_and_an_unknown_one_is_not_found(db, page):
    offset = db.stream("orders").publish({"text": "x" * 1_000}, key="acme")
    assert "x" * 1_000 in read(page, f"/event?topic=orders&offset={offset}")
    assert "x" * 1_000 not in read(page, "/stream?topic=orders")
    assert page.get(f"/event?topic=orders&offset={offset + 1}").status_code == 404
    assert page.get("/event?topic=orders&offset=x").status_code == 400
    assert page.get("/stream?topic=none").status_code == 404


# ------------------------------------------------------------------------------------------------------ locks, workers


def test_locks_show_owner_and_leader(db, page):
    db.lock("deploy", ttl=60, owner="alice").try_acquire()
    db.lock("honker-scheduler", ttl=60, owner="host-1").try_acquire()
    text = read(page, "/locks")
    assert "deploy alice" in text
    assert "honker-scheduler leads the schedules" in text


def test_workers_show_their_jobs_with_progress(db, page):
    queue = db.queue("photos")
    shown = []

    @queue.task(name="develop")
    async def develop(job: honker.Job):
        job.progress(3, 10, "sharpening")
        await until(lambda: shown)

    develop()

    async def main():
        stop = asyncio.Event()
        running = asyncio.ensure_future(db.run_workers(stop_event=stop, concurrency=2))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            text = await asyncio.to_thread(read, page, "/workers")
            if "sharpening" in text:
                break
        shown.append(text)
        stop.set()
        await running

    asyncio.run(main())
    assert "1 of 2 slots busy" in shown[0]
    assert "develop photos" in shown[0]
    assert "3 / 10 sharpening" in shown[0].replace("\u2009", " ")


# ----------------------------------------------------------------------------------------------------------- schedules


@pytest.fixture
def scheduler(db):
    scheduler = honker.Scheduler(db)
    scheduler.add(name="nightly", queue="reports", schedule=crontab("0 3 * * *"), payload={"kind": "all"}, priority=7)
    scheduler.add(name="poll", queue="mail", schedule=every_s(30))
    return scheduler


def test_schedules_show_their_next_times(scheduler, page):
    text = read(page, "/schedules")
    assert "nightly 0 3 * * *" in text
    assert text.count("03:00:00 UTC") == 2  # the second and the third time
    assert "No scheduler runs" in text


def test_a_schedule_is_paused_and_the_pause_is_undone(scheduler, page):
    after = page.follow(page.submit("/schedules/pause", name="nightly"))
    assert message(after) == "Paused nightly."
    assert not {each.name: each.enabled for each in scheduler.list()}["nightly"]
    path, fields = undo(after)
    assert message(page.follow(page.submit(path, **fields))) == "Resumed nightly."
    assert {each.name: each.enabled for each in scheduler.list()}["nightly"]
    assert message(page.follow(page.submit("/schedules/resume", name="nightly"))) == "nightly was not paused."
    assert message(page.follow(page.submit("/schedules/pause", name="none"))) == "none was paused already."


def test_run_now_enqueues_the_job_of_a_schedule(db, scheduler, page):
    before = {each.name: each.next_fire_at for each in scheduler.list()}
    page.submit("/schedules/run", name="nightly")
    (job,) = db.jobs(queue="reports").jobs
    assert (job.payload, job.priority) == ('{"kind": "all"}', 7)
    assert {each.name: each.next_fire_at for each in scheduler.list()} == before
    assert page.submit("/schedules/run", name="none").status_code == 404


# ----------------------------------------------------------------------------------------------------------- workflows


@pytest.fixture
def tasks(db):
    queue = db.queue("steps")

    class Tasks:
        one = queue.task(name="one")(lambda: 1)
        total = queue.task(name="total")(lambda *values: len(values))
        broken = queue.task(name="broken", retries=1)(_break)

    return Tasks


def _break(*_):
    raise ValueError("broken")


def run_all(db):
    asyncio.run(db.run_workers(burst=True, concurrency=2))


def edges(answer):
    return len(re.findall(r'class="edge"', answer.text))


def test_a_workflow_is_drawn_with_its_relations_also_when_it_has_ended(db, page, tasks):
    workflow = (
        db.workflow("nightly")
        .add("numbers", group(tasks.one.s(), tasks.one.s()))
        .add("sum", tasks.total.s(), after=["numbers"])
        .add("more", chain(tasks.one.s(), tasks.total.s()))
        .enqueue()
    )
    answer = page.get(f"/workflow/{workflow.id}")
    assert edges(answer) == 3
    run_all(db)
    answer = page.get(f"/workflow/{workflow.id}")
    assert edges(answer) == 3
    assert "5 done" in words(answer)
    assert "numbers.0, numbers.1" in words(answer)


def test_a_record_without_parents_is_drawn_as_far_as_the_engine_knows_them(db, page, tasks):
    first = tasks.one()
    second = tasks.one.enqueue_with(after=[first])()
    record = {"name": "old", "jobs": {"a": first.id, "b": second.id}, "shape": None, "filled_by": []}
    offset = db.stream("_workflows").publish(record)
    answer = page.get(f"/workflow/{offset}")
    assert edges(answer) == 1
    for payload in ({**record, "parents": [[], [7]]}, {**record, "parents": 5}, {**record, "parents": [[]]}):
        offset = db.stream("_workflows").publish(payload)
        assert edges(page.get(f"/workflow/{offset}")) == 1


def test_many_like_jobs_are_one_box(db, page, tasks):
    workflow = db.workflow("wide").add("all", chord([tasks.one.s() for _ in range(40)], tasks.total.s())).enqueue()
    answer = page.get(f"/workflow/{workflow.id}")
    assert "ready, 40 jobs" in words(answer)
    assert edges(answer) == 1


def test_the_dead_jobs_of_a_workflow_are_requeued_with_those_that_they_ended(db, page, tasks):
    workflow = db.workflow("w").add("a", tasks.broken.s()).add("b", tasks.total.s(), after=["a"]).enqueue()
    run_all(db)
    assert workflow.states() == {"a": "dead", "b": "dead"}
    after = page.follow(page.submit("/workflow/requeue", id=workflow.id, back=f"/workflow/{workflow.id}"))
    assert message(after) == "Requeued 1 of 1 dead jobs."
    assert workflow.states() == {"a": "pending", "b": "waiting"}


def test_a_workflow_is_cancelled_only_after_a_question(db, page, tasks):
    workflow = db.workflow("w").add("a", tasks.one.s()).add("b", tasks.total.s(), after=["a"]).enqueue()
    question = page.submit("/workflow/cancel", id=workflow.id)
    assert "2 of its jobs that wait are removed" in words(question)
    assert set(workflow.states().values()) == {"pending", "waiting"}
    page.submit("/workflow/cancel", id=workflow.id, sure="yes")
    assert set(workflow.states().values()) == {"cancelled"}


def test_workflows_are_listed_by_pages(db, page, tasks):
    for number in range(30):
        db.workflow(f"number {number}").add("a", tasks.one.s()).enqueue()
    answer = page.get("/workflows")
    assert "number 29" in words(answer)
    assert "number 4 " not in words(answer)
    older = re.search(r'href="([^"]*after=[^"]*)">Older', answer.text)[1]
    assert "number 4 " in read(page, older)
    assert page.get("/workflow/999999").status_code == 404


# -------------------------------------------------------------------------------------------------------------- limits

FIELDS = {"queue": "emails", "concurrency": "3", "rate_count": "100", "rate_s": "60", "burst": "5"}


def test_limits_are_reviewed_set_and_taken_back(db, page):
    db.queue("emails").configure(concurrency=8, keep_finished_s=60)
    wanted = {**FIELDS, "keep_finished_s": "60"}
    review = words(page.submit("/limits/review", **wanted))
    assert "Jobs at once 8 3" in review
    assert "Starts no limit 100 in 60 s" in review
    assert "kept" not in review  # unchanged
    assert db.queue("emails").settings().concurrency == 8
    after = page.follow(page.submit("/limits/set", **wanted))
    settings = db.queue("emails").settings()
    assert (settings.concurrency, settings.rate, settings.burst) == (3, (100, 60.0), 5)
    path, fields = undo(after)
    page.submit(path, **fields)
    settings = db.queue("emails").settings()
    assert (settings.concurrency, settings.rate, settings.keep_finished_s) == (8, None, 60)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"concurrency": "many"}, "it must be a number"),
        ({"concurrency": "1.5"}, "it must be a whole number"),
        ({"concurrency": "nan"}, "it must be a number"),
        ({"rate_count": "5"}, "give a number and its seconds"),
        ({"concurrency": "0"}, "concurrency"),
        ({"concurrency": "-3"}, "concurrency"),
        ({"burst": "5"}, "rate"),
    ],
)
def test_limits_outside_their_range_are_refused_with_the_form(db, page, fields, error):
    answer = page.submit("/limits/set", queue="emails", **fields)
    assert answer.status_code == 400
    assert error in re.search(r'role="alert">(.*?)</p>', answer.text)[1]
    assert f'value="{next(iter(fields.values()))}"' in answer.text
    assert db.queue("emails").settings().concurrency is None


def test_limits_of_all_queues_are_listed(db, page):
    db.queue("emails").enqueue(1)
    db.queue("emails").configure(rate=(20, 1), ordered=True)
    assert "20 in 1 s" in read(page, "/limits")
    assert "by key" in read(page, "/limits")


# ---------------------------------------------------------------------------------------------------------- throughput


def test_throughput_says_how_to_count_and_then_counts(db, page):
    assert "Nothing is counted" in read(page, "/throughput")
    page.submit("/throughput/count", counters="on")
    queue = db.queue("emails")
    queue.enqueue_many([1, 2, 3])
    (job,) = queue.claim_batch("w", 1)
    queue.ack(job.id, "w")
    text = read(page, "/throughput")
    assert "Enqueued 3" in text
    assert "Done 1" in text
    assert "Jobs by minute: 3 enqueued, 1 done" in page.get("/throughput").text
    assert "Enqueued 0" in read(page, "/throughput?queue=other")
    assert page.get("/throughput?minutes=7").status_code == 400
    page.submit("/throughput/count", counters="off")
    assert "The counters are off" in read(page, "/throughput")


EMPTY = ("/workers", "/schedules", "/workflows", "/streams", "/locks", "/limits", "/throughput")


@pytest.mark.parametrize("path", EMPTY)
def test_pages_of_an_empty_file_say_what_fills_them(page, path):
    answer = page.get(path)
    assert answer.status_code == 200
    assert 'class="empty"' in answer.text
    assert "<code>" in answer.text
