"""`honker scheduler`, run as separate processes."""

import json
import signal
import sqlite3
from contextlib import closing, contextmanager

import honker
import pytest

from ..support import program
from ..support.program import running
from ..support.waiting import wait_until

STARTED = r"honker scheduler: pid=\d+ database=.*"
LEADING = "honker scheduler: leading; 1 schedule"
STANDING_BY = "honker scheduler: another scheduler leads; standing by"
STOPPED = "honker scheduler: stopped cleanly"


@pytest.fixture
def run_scheduler(write, db, tmp_path):
    """Start a scheduler for a schedule that fires each second."""
    write("shop.py", "import honker\ndb = honker.open('app.db')\n")
    honker.Scheduler(db).add(name="tick", queue="q", schedule=honker.every_s(1))
    return lambda *options: running("scheduler", "shop:db", *options, cwd=tmp_path)


@contextmanager
def leading(run_scheduler):
    """Start a scheduler, and wait until it leads."""
    with run_scheduler() as process:
        process.expect(STARTED)
        process.expect(LEADING)
        yield process


def job_count(db):
    return db.query("SELECT count(*) AS n FROM _honker_live")[0]["n"]


def change(db, sql):
    """Change a row from outside."""
    with closing(sqlite3.connect(db.path)) as conn, conn:
        assert conn.execute(sql).rowcount == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_schedules_are_fired_until_a_signal_stops_it(run_scheduler, db, number):
    with run_scheduler() as process:
        process.expect(STARTED)
        process.expect(LEADING)
        wait_until(lambda: job_count(db) >= 2, 30)
        process.signal(number)
        process.expect(rf"honker scheduler: stopping \({number.name}\)")
        process.expect(STOPPED)
        assert process.end() == (0, "", "")


def test_periodic_tasks_of_the_module_are_registered(write, db, tmp_path):
    write(
        "shop.py",
        "import honker\ndb = honker.open('app.db')\n"
        "db.periodic_task(honker.crontab('0 3 * * *'), queue='q', scheduler_name='nightly')(print)\n",
    )
    with running("scheduler", "shop:db", cwd=tmp_path) as process:
        process.expect(STARTED)
        process.expect(LEADING)
        assert [each["name"] for each in honker.Scheduler(db).list()] == ["nightly"]


def test_a_second_scheduler_stands_by_and_takes_over(run_scheduler):
    with leading(run_scheduler) as first, run_scheduler() as second:
        second.expect(STARTED)
        second.expect(STANDING_BY)
        first.signal()
        second.expect(LEADING)
        second.signal(signal.SIGTERM)
        second.expect(r"honker scheduler: stopping \(SIGTERM\)")
        second.expect(STOPPED)
        assert second.end() == (0, "", "")


def test_one_that_stands_by_is_stopped_as_well(run_scheduler):
    with leading(run_scheduler), run_scheduler("--json") as second:
        started = json.loads(second.line())
        assert (started["event"], started["pid"]) == ("started", second.process.pid)
        assert json.loads(second.line()) == {"event": "standing by"}
        second.signal()
        assert json.loads(second.line()) == {"event": "stopping", "signal": "SIGINT"}
        assert json.loads(second.line()) == {"event": "stopped"}
        assert second.end() == (0, "", "")


def test_without_standing_by_a_second_scheduler_is_refused(run_scheduler):
    with leading(run_scheduler), run_scheduler("--no-standby") as second:
        second.expect(STARTED)
        code, output, errors = second.end()
        assert (code, output) == (1, "")
        assert "another scheduler leads" in errors


def test_one_that_lost_its_leadership_stands_by_until_it_is_free_again(run_scheduler, db):
    with run_scheduler() as process:
        process.expect(STARTED)
        process.expect(LEADING)
        change(db, "UPDATE _honker_locks SET owner = 'a thief' WHERE name = 'honker-scheduler'")
        process.expect(r"honker scheduler: leadership was lost: .*; standing by")
        change(db, "DELETE FROM _honker_locks WHERE name = 'honker-scheduler'")
        process.expect(LEADING)


def test_one_that_does_not_stand_by_ends_when_it_has_lost_its_leadership(run_scheduler, db):
    with run_scheduler("--no-standby", "--log-level", "error") as process:
        process.expect(STARTED)
        process.expect(LEADING)
        change(db, "UPDATE _honker_locks SET owner = 'a thief' WHERE name = 'honker-scheduler'")
        code, output, errors = process.end()
    assert (code, output) == (1, "")
    assert errors.startswith("Error: leadership was lost: lock 'honker-scheduler'")
    assert errors.endswith("; it ends here because of --no-standby\n")


def test_a_scheduler_without_schedules_is_an_error(write, tmp_path):
    write("shop.py", "import honker\ndb = honker.open('app.db')\n")
    done = program.honker("scheduler", "shop:db", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Error: no registered tasks: add a schedule before running the scheduler\n"
