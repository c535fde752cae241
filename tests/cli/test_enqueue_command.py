"""`honker enqueue`."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from honker.cli import main

from ..support.locking import ask
from ..support.program import honker

JOB = "SELECT id, queue, payload, priority, max_attempts FROM _honker_live"


# Only some tests run the program itself; a process for each reading of a text would be too slow.


def test_a_job_is_added_and_its_id_printed(db, path):
    done = honker("enqueue", path, "emails", '{"to": "alice"}')
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    assert ask(path, JOB) == [(1, "emails", '{"to": "alice"}', 0, 3)]
    assert db.queue("emails").claim_one("w").payload == {"to": "alice"}


@pytest.mark.parametrize("payload", ["null", "17", '"text"', "[1, 2.5]", '{"ä": "\\ud83d\\ude00"}'])
def test_a_payload_is_any_json(db, path, payload):
    assert main.run(["enqueue", str(path), "q", payload]) == 0
    assert db.queue("q").claim_one("w").payload == json.loads(payload)


def test_a_payload_is_read_from_standard_input(db, path):
    done = honker("enqueue", path, "q", "-", text='{"pages": [1,\n 2]}\n')
    assert done.returncode == 0
    assert db.queue("q").claim_one("w").payload == {"pages": [1, 2]}


@pytest.mark.parametrize("payload", ["alice", "", "{'a': 1}", "NaN", "[1"])
def test_what_is_not_json_is_a_usage_error(db, path, payload, capsys):
    assert main.run(["enqueue", str(path), "q", payload]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "it is not JSON" in printed.err
    assert ask(path, JOB) == []


def test_what_is_not_json_on_standard_input_is_a_usage_error(db, path):
    done = honker("enqueue", path, "q", "-", text="alice\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "it is not JSON" in done.stderr
    assert ask(path, JOB) == []


def test_the_result_is_json_if_that_is_asked_for(db, path):
    done = honker("enqueue", path, "q", "1", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"id": 1, "queue": "q"}]


def test_priority_and_attempts_are_those_of_the_job(db, path):
    honker("enqueue", path, "q", "1", "--priority", "-5", "--max-attempts", "7")
    assert ask(path, JOB) == [(1, "q", "1", -5, 7)]


def test_a_delay_and_an_expiry_count_from_now(db, path):
    before = time.time()
    assert honker("enqueue", path, "q", "1", "--delay", "1000.5", "--expires", "2000").returncode == 0
    after = time.time()
    [(run_at, expires_at)] = ask(path, "SELECT run_at, expires_at FROM _honker_live")
    assert before + 1000.5 <= run_at + 0.001
    assert run_at <= after + 1000.502
    # An expiry may be stored in whole seconds.
    assert before + 1999 <= expires_at <= after + 2001


@pytest.mark.parametrize(
    "moment",
    ["1800000000", "1800000000.0", "2027-01-15T08:00:00Z", "2027-01-15 09:00:00+01:00"],
)
def test_a_moment_is_unix_seconds_or_a_time(db, path, moment):
    assert main.run(["enqueue", str(path), "q", "1", "--run-at", moment]) == 0
    assert ask(path, "SELECT run_at FROM _honker_live") == [(1_800_000_000,)]


def test_a_time_without_a_zone_is_local(db, path):
    assert honker("enqueue", path, "q", "1", "--run-at", "2027-01-15T08:00", TZ="XXX-3").returncode == 0
    moment = datetime(2027, 1, 15, 8, tzinfo=timezone(timedelta(hours=3)))
    assert ask(path, "SELECT run_at FROM _honker_live") == [(moment.timestamp(),)]


def test_a_moment_that_is_none_is_a_usage_error(db, path):
    done = honker("enqueue", path, "q", "1", "--run-at", "tomorrow")
    assert done.returncode == 2
    assert "'tomorrow' is neither Unix seconds nor a time" in done.stderr


def test_a_delay_and_a_moment_exclude_each_other(db, path):
    done = honker("enqueue", path, "q", "1", "--run-at", "0", "--delay", "1")
    assert done.returncode == 2
    assert "--delay and --run-at" in done.stderr
    assert ask(path, JOB) == []
