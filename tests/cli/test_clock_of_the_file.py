"""The commands take the time of a testing file from the file, as the engine does."""

import json

import honker
import pytest

from ..support import program

DAY_S = 86400


@pytest.fixture
def moved(tmp_path):
    """A file whose clock is ten days ahead, with a job and a schedule of its time."""
    with honker.open(tmp_path / "app.db") as db:
        with db.transaction() as tx:
            tx.query(f"SELECT honker_test_clock_run({10 * DAY_S})")
        db.queue("q").enqueue(1)
        db.queue("q").claim_one("w").fail("no such order")
        db.queue("q").enqueue(2)
        honker.Scheduler(db).add(name="tick", queue="q", schedule=honker.every_s(30 * 60))
    return tmp_path / "app.db"


def lines(*command):
    done = program.honker(*command)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_distances_count_from_the_time_of_the_file(moved):
    (_, job, _) = lines("jobs", moved)
    assert "s ago" in job
    assert "in 30m" in lines("schedules", moved)[1]


@pytest.mark.parametrize("command", [["jobs"], ["dead"], ["dead", "--by", "error"]], ids=" ".join)
def test_a_span_counts_from_the_time_of_the_file(moved, command):
    with honker.open(moved) as db, db.transaction() as tx:
        tx.query(f"SELECT honker_test_clock_run({20 * DAY_S})")
    assert lines(command[0], moved, *command[1:], "--since", "9d", "--json") == []
    assert lines(command[0], moved, *command[1:], "--since", "11d", "--json") != []


def test_a_bulk_verb_counts_a_span_from_the_time_of_the_file(moved):
    with honker.open(moved) as db, db.transaction() as tx:
        tx.query(f"SELECT honker_test_clock_run({20 * DAY_S})")
    for since, found in (("9d", 0), ("11d", 1)):
        (line,) = lines("requeue", moved, "--all", "--since", since, "--dry-run", "--json")
        assert json.loads(line)["matching"] == found


def test_a_schedule_is_late_by_the_time_of_the_file(moved):
    facts = [each["fact"] for each in map(json.loads, program.honker("doctor", moved, "--json").stdout.splitlines())]
    assert not [each for each in facts if "schedule tick" in each]
    with honker.open(moved) as db, db.transaction() as tx:
        tx.query(f"SELECT honker_test_clock_run({20 * DAY_S})")
    facts = [each["fact"] for each in map(json.loads, program.honker("doctor", moved, "--json").stdout.splitlines())]
    assert [each for each in facts if each.startswith("schedule tick was due 10d ago")]
