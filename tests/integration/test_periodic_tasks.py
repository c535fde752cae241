"""Periodic tasks: their schedules are written once and keep the changes of an operator."""

import asyncio
import json

import honker
import pytest
from honker.task.message import envelope

from ..support.schedules import tick
from ..support.workers import working


def test_a_periodic_task_writes_nothing_before_it_is_registered(db, queue):
    @queue.periodic_task(honker.every_s(3600), name="beat", scheduler_name="hourly", priority=2, expires_s=60)
    def beat(): ...

    assert honker.Scheduler(db).list() == []
    assert beat.spec.retries == 3
    assert beat.spec.store_result is False
    assert honker.register_schedules(db, {"another"}) == []
    assert honker.register_schedules(db) == ["hourly"]
    (row,) = honker.Scheduler(db).list()
    assert json.loads(row["payload"]) == {"__honker_task__": {"task": "beat", "args": [], "kwargs": {}}}
    assert (row["name"], row["queue"], row["priority"], row["expires_s"], row["max_attempts"]) == (
        *("hourly", "q", 2, 60, 3),
    )  # fmt: skip


def test_a_scheduler_registers_the_schedules_of_its_database(db, queue, tmp_path):
    async def run(database):
        stop = asyncio.Event()
        stop.set()
        await honker.Scheduler(database).run(stop)

    db.periodic_task(honker.crontab("0 3 * * *", "UTC"), queue="q", name="nightly")(lambda: None)
    with honker.open(tmp_path / "other.db") as other, pytest.raises(RuntimeError, match="no registered tasks"):
        asyncio.run(run(other))
    asyncio.run(run(db))
    assert [row["name"] for row in honker.Scheduler(db).list()] == ["nightly"]


def schedules(db):
    return {row["name"]: row for row in honker.Scheduler(db).list()}


def test_a_periodic_task_has_the_options_of_a_task_and_the_attempts_of_its_queue(db):
    retry = {"retry_delay_s": 5, "backoff": 2, "max_retry_delay_s": 60, "jitter": 0, "timeout_s": 30}
    once = db.queue("once", max_attempts=1)
    once.periodic_task(honker.every_s(60), name="a")(lambda: None)
    task = once.periodic_task(honker.every_s(60), name="b", max_attempts=7, misfire="skip", **retry)(lambda: None)
    assert {name: getattr(task.spec, name) for name in retry} == retry
    honker.register_schedules(db)
    rows = schedules(db)
    assert [(rows[n]["max_attempts"], rows[n]["misfire"]) for n in "ab"] == [(1, "catch_up"), (7, "skip")]
    for policy in "misfire", "overlap", "when_paused":
        with pytest.raises(honker.InvalidArgumentError, match=f"{policy} is 'never'"):
            once.periodic_task(honker.every_s(60), **{policy: "never"})


def test_a_periodic_task_that_skips_overlaps_has_one_job_at_a_time(db, queue):
    queue.periodic_task(honker.every_s(60), name="a", overlap="skip", when_paused="skip")(lambda: None)
    honker.register_schedules(db)
    row = schedules(db)["a"]
    assert (row.overlap, row.when_paused) == ("skip", "skip")
    at = row.next_fire_at
    assert len(tick(db, at)) == 1
    assert tick(db, at + 60) == []
    job = queue.claim_one("w")
    assert schedules(db)["a"].last_job_id == job.id
    assert tick(db, at + 120) == []
    job.ack()
    queue.pause()
    assert tick(db, at + 180) == []
    queue.resume()
    assert len(tick(db, at + 240)) == 1


def test_a_declaration_that_an_earlier_release_wrote_counts_as_the_same(db, queue):
    """It has no policies for overlaps and pauses; one that gives none today has them neither."""
    declare(queue)
    honker.register_schedules(db)
    (event,) = db.stream("_honker:schedules").read_since(0)
    assert len(event.payload) == 9
    honker.Scheduler(db).update("nightly", priority=7)
    forget()
    declare(queue, when_paused="enqueue")
    honker.register_schedules(db)
    assert schedules(db)["nightly"].priority == 0
    assert db.stream("_honker:schedules").read_since(0)[-1].payload[9:] == [None, "enqueue"]


def declare(queue, name="nightly", schedule="0 3 * * *", **options):
    queue.periodic_task(honker.crontab(schedule, "UTC"), name=name, **options)(lambda: None)


def forget():
    """Begin as a new process does, without tasks."""
    honker.registry().clear()


@pytest.mark.parametrize(
    "change",
    [
        {"misfire": "once"},
        {"overlap": "skip"},
        {"when_paused": "skip"},
        {"priority": 7},
        {"expires": 60},
        {"max_attempts": 9},
        {"schedule": honker.crontab("0 5 * * *")},
        {"payload": "mine"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_start_does_not_undo_the_changes_of_an_operator(db, queue, change):
    declare(queue)
    honker.register_schedules(db)
    honker.Scheduler(db).update("nightly", **change)
    changed = schedules(db)
    forget()
    declare(queue)
    assert honker.register_schedules(db) == ["nightly"]
    asyncio.run(register_in_a_worker(db))
    assert schedules(db) == changed


async def register_in_a_worker(db):
    async with working(db):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "spelling", ["file:{path}", "file:{path}?mode=rw", "{folder}/link.db", "file:{folder}/link.db"]
)
@pytest.mark.sqlite_only("spellings of a path")
def test_a_periodic_task_belongs_to_its_file_under_every_spelling(db, path, tmp_path, spelling):
    (tmp_path / "link.db").symlink_to(path)
    with honker.open(spelling.format(path=path, folder=tmp_path)) as declaring:
        declaring.periodic_task(honker.every_s(60), queue="q", name="beat")(lambda: None)
        assert honker.register_schedules(db) == ["beat"]
        assert honker.register_schedules(declaring) == ["beat"]


def test_a_changed_declaration_replaces_the_schedule_and_keeps_it_paused(db, queue):
    declare(queue)
    honker.register_schedules(db)
    honker.Scheduler(db).update("nightly", priority=7)
    honker.Scheduler(db).pause("nightly")
    for options, seen in ({"schedule": "0 4 * * *"}, 0), ({"schedule": "0 4 * * *", "priority": 3}, 3):
        forget()
        declare(queue, **options)
        honker.register_schedules(db)
        row = schedules(db)["nightly"]
        assert (row["cron_expr"], row["priority"], row["enabled"]) == ("0 4 * * *", seen, False)


def test_a_removed_schedule_is_written_again(db, queue):
    declare(queue)
    honker.register_schedules(db)
    honker.Scheduler(db).remove("nightly")
    honker.register_schedules(db)
    assert list(schedules(db)) == ["nightly"]


def test_a_start_with_nothing_new_writes_nothing(db, queue):
    declare(queue)
    honker.register_schedules(db)
    with db.transaction() as tx:
        tx.execute("CREATE TABLE held (x INTEGER)")
        assert honker.register_schedules(db) == ["nightly"]


def test_schedules_of_tasks_that_are_gone_are_reported_and_removed_on_request(db, queue, caplog):
    declare(queue, "old")
    declare(db.queue("elsewhere"), "other")
    honker.register_schedules(db)
    honker.Scheduler(db).add(name="by hand", queue="q", schedule=honker.every_s(60), payload=envelope("gone"))
    honker.Scheduler(db).add(name="raw", queue="q", schedule=honker.every_s(60), payload={"n": 1})
    forget()
    declare(queue, "new")
    honker.register_schedules(db)
    reported = {each.args[0] for each in caplog.records}
    assert reported == {"old", "by hand"}
    assert len(schedules(db)) == 5
    honker.register_schedules(db, prune=True)
    assert set(schedules(db)) == {"new", "other", "by hand", "raw"}


@pytest.fixture
def task(queue):
    return queue.task(name="t")(lambda: None)
