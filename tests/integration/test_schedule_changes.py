"""Schedules: the stored values, the rejected values, and the effects of an update."""

import time

import honker
import pytest
from honker import HonkerError, InvalidArgumentError, InvalidPayloadError, crontab, every_s

from ..support.parameter_ids import stable
from ..support.schedules import HOUR_S, due_from

# A schedule with every property different from its default.
FULL = {
    "name": "s",
    "queue": "q",
    "schedule": crontab("0 3 * * *", "Europe/Berlin"),
    "payload": {"n": 1},
    "priority": 5,
    "expires": 60,
    "max_attempts": 7,
    "misfire": "once",
    "overlap": "skip",
    "when_paused": "skip",
}

# ------------------------------------------------------------------------------------------------------------ schedules


def test_a_schedule_is_kept_with_what_it_was_added_with(scheduler):
    before = int(time.time())
    scheduler.add(**FULL)
    kept = dict(scheduler.list()[0])
    assert kept.pop("next_fire_at") > before
    assert kept == {
        "name": "s",
        "queue": "q",
        "cron_expr": "0 3 * * *",
        "payload": '{"n": 1}',
        "priority": 5,
        "expires_s": 60,
        "enabled": True,
        "max_attempts": 7,
        "time_zone": "Europe/Berlin",
        "misfire": "once",
        "last_error": None,
        "overlap": "skip",
        "when_paused": "skip",
        "last_job_id": None,
    }


def test_what_is_not_given_has_its_default(scheduler):
    scheduler.add(name="s", queue="q", schedule=every_s(60))
    (kept,) = scheduler.list()
    assert (kept["payload"], kept["priority"], kept["expires_s"], kept["max_attempts"]) == ("null", 0, None, 3)
    assert (kept["time_zone"], kept["misfire"], kept["enabled"]) == (None, "catch_up", True)
    assert (kept["overlap"], kept["when_paused"], kept["last_job_id"]) == ("queue", "enqueue", None)
    assert 0 < kept["next_fire_at"] - time.time() <= 60


def test_anything_with_an_expression_can_be_scheduled(scheduler):
    class Weekly:
        expr = "@weekly"

    scheduler.add(name="s", queue="q", schedule=Weekly())
    assert scheduler.list()[0]["cron_expr"] == "@weekly"


def test_a_bare_expression_is_no_schedule(scheduler):
    with pytest.raises(AttributeError, match="expr"):
        scheduler.add(name="s", queue="q", schedule="* * * * *")
    assert scheduler.list() == []


class Bad:
    expr = "* * * *"


@pytest.mark.parametrize(
    "refused",
    [
        {"name": ""},
        {"queue": ""},
        {"schedule": Bad()},
        {"misfire": "panic"},
        {"overlap": "panic"},
        {"when_paused": "panic"},
        {"expires": 1.5},
        {"priority": "high"},
        {"payload": object()},
    ],
    ids=lambda refused: next(iter(refused)),
)
def test_a_schedule_that_cannot_be_kept_leaves_what_was_there(hourly, refused):
    before = hourly.list()
    for name in ("new", "hourly"):
        with pytest.raises(HonkerError):
            hourly.add(**{"name": name, "queue": "other", "schedule": every_s(5)} | refused)
    assert hourly.list() == before


def test_schedules_are_listed_by_name(scheduler):
    for name in ("b", "c", "a"):
        scheduler.add(name=name, queue="q", schedule=every_s(60))
    assert [schedule["name"] for schedule in scheduler.list()] == ["a", "b", "c"]


def test_adding_again_keeps_the_next_boundary_while_the_expression_stays(hourly, path):
    due_from(path, 1000)
    hourly.add(name="hourly", queue="other", schedule=every_s(HOUR_S), payload=2, priority=1)
    (kept,) = hourly.list()
    assert (kept["queue"], kept["payload"], kept["priority"], kept["expires_s"]) == ("other", "2", 1, None)
    assert kept["next_fire_at"] == 1000
    hourly.add(name="hourly", queue="other", schedule=every_s(HOUR_S + 1))
    assert hourly.list()[0]["next_fire_at"] > time.time()


def test_adding_again_leaves_a_paused_schedule_paused(hourly):
    hourly.pause("hourly")
    hourly.add(name="hourly", queue="q", schedule=every_s(HOUR_S))
    assert not hourly.list()[0]["enabled"]


def test_remove_forgets_a_schedule(hourly):
    assert hourly.remove("hourly") is True
    assert hourly.remove("hourly") is False
    assert hourly.list() == []


def test_pause_and_resume_say_whether_they_changed_anything(hourly):
    assert [hourly.pause("hourly"), hourly.pause("hourly")] == [True, False]
    assert not hourly.list()[0]["enabled"]
    assert [hourly.resume("hourly"), hourly.resume("hourly")] == [True, False]
    assert hourly.list()[0]["enabled"]
    assert (hourly.pause("nothing"), hourly.resume("nothing")) == (False, False)


def test_every_change_may_be_part_of_a_transaction(db, hourly):
    before = hourly.list()
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        hourly.add(name="new", queue="q", schedule=every_s(60), tx=tx)
        assert hourly.update("hourly", priority=9, tx=tx)
        assert hourly.pause("hourly", tx=tx)
        assert hourly.resume("hourly", tx=tx)
        assert hourly.pause("hourly", tx=tx)
        assert [schedule["name"] for schedule in hourly.list(tx=tx)] == ["hourly", "new"]
        assert hourly.remove("hourly", tx=tx)
        assert hourly.list() == before
        raise ZeroDivisionError
    assert hourly.list() == before


# ------------------------------------------------------------------------------------------------------------- updating


@pytest.fixture
def full(scheduler, path):
    """A schedule with every property different from its default, and its next boundary in the past."""
    scheduler.add(**FULL)
    due_from(path, 1000, "s")
    return scheduler


UPDATES = [
    ({"payload": None}, {"payload": "null"}),
    ({"payload": [1]}, {"payload": "[1]"}),
    ({"priority": 0}, {"priority": 0}),
    ({"expires": None}, {"expires_s": None}),
    ({"expires": 30}, {"expires_s": 30}),
    ({"max_attempts": None}, {"max_attempts": 3}),
    ({"max_attempts": 1}, {"max_attempts": 1}),
    ({"misfire": "skip"}, {"misfire": "skip"}),
    ({"overlap": "queue"}, {"overlap": "queue"}),
    ({"when_paused": "enqueue"}, {"when_paused": "enqueue"}),
    ({"payload": 2, "priority": 1, "expires": None}, {"payload": "2", "priority": 1, "expires_s": None}),
]


@pytest.mark.parametrize(("given", "changed"), UPDATES, ids=str)
def test_update_changes_what_is_given_and_leaves_the_rest(full, given, changed):
    before = full.list()[0]
    assert full.update("s", **given) is True
    assert full.list() == [before | changed]


def test_update_without_anything_does_nothing(full):
    before = full.list()
    assert full.update("s") is False
    assert full.update("s", schedule=None, priority=None, misfire=None, overlap=None, when_paused=None) is False
    assert full.list() == before


def test_update_of_what_is_not_there_does_nothing(full):
    assert full.update("nothing", priority=1) is False
    assert [schedule["name"] for schedule in full.list()] == ["s"]


def test_an_updated_schedule_counts_from_now(full):
    before = full.list()[0]
    assert full.update("s", schedule=crontab("0 4 * * *", "Asia/Tokyo"))
    after = full.list()[0]
    assert after["next_fire_at"] > time.time()
    assert after == before | {
        "cron_expr": "0 4 * * *",
        "time_zone": "Asia/Tokyo",
        "next_fire_at": after["next_fire_at"],
    }


def test_a_schedule_updated_to_one_without_a_zone_has_none(full):
    assert full.update("s", schedule=every_s(60))
    (after,) = full.list()
    assert (after["cron_expr"], after["time_zone"]) == ("@every 60s", None)
    assert 0 < after["next_fire_at"] - time.time() <= 60


@pytest.mark.parametrize(
    "refused", [{"schedule": Bad()}, {"misfire": "panic"}, {"expires": 1.5}, {"payload": {1}}], ids=stable
)
def test_an_update_that_is_refused_changes_nothing(full, refused):
    before = full.list()
    with pytest.raises((InvalidArgumentError, InvalidPayloadError)):
        full.update("s", **{"priority": 9} | refused)
    assert full.list() == before


def test_the_numbers_of_a_schedule_may_be_whole_floats(scheduler):
    scheduler.add(name="s", queue="q", schedule=honker.every_s(60.0), priority=1.0, expires=60.0, max_attempts=2.0)
    (row,) = scheduler.list()
    assert [(type(row[name]), row[name]) for name in ("priority", "expires_s", "max_attempts")] == [
        *((int, 1), (int, 60), (int, 2)),
    ]  # fmt: skip
    scheduler.update("s", priority=3.0, expires=90.0, max_attempts=4.0)
    (row,) = scheduler.list()
    assert (row["priority"], row["expires_s"], row["max_attempts"]) == (3, 90, 4)
    with pytest.raises(honker.InvalidArgumentError, match=r"expires is 1\.5"):
        scheduler.update("s", expires=1.5)
