"""The list of workers: reports, rounds that carry one, leaving, and the end of lost workers."""

import json

import pytest

from .clock import advance
from .database import call, call_json, dump, enqueue, refused, rows, value

FIELDS = {
    "name": "w1", "started_at": 5, "host": "h", "pid": 7, "pid_space": "boot 1", "version": "1", "slots": 2, "busy": 1,
    "queues": ["q"], "worker_ids": ["w"], "running": [{"id": 4, "queue": "q", "task": "mail", "since": 6.5}],
}  # fmt: skip


def report(conn, **changes):
    return call(conn, "honker_worker_report", json.dumps(FIELDS | changes))


def listed(conn):
    return call_json(conn, "honker_worker_list", None, 100)


def states(conn):
    return {worker["name"]: worker["state"] for worker in listed(conn)}


def test_a_report_is_listed_as_it_was_given(conn):
    assert report(conn) == 10
    (worker,) = listed(conn)
    assert worker["state"] == "running"
    assert {name: worker[name] for name in FIELDS} == FIELDS


def test_a_later_report_replaces_the_row(conn):
    report(conn)
    report(conn, busy=0, running=[], queues=["q", "r"])
    (worker,) = listed(conn)
    assert (worker["busy"], worker["running"], worker["queues"]) == (0, [], ["q", "r"])


def test_a_stopping_worker_says_so(conn):
    report(conn, is_stopping=True)
    assert states(conn) == {"w1": "stopping"}


def test_a_worker_is_lost_after_three_missed_reports_and_found_by_the_next(conn):
    report(conn)
    advance(conn, 29)
    assert states(conn) == {"w1": "running"}
    advance(conn, 2)
    assert states(conn) == {"w1": "lost"}
    report(conn)
    assert states(conn) == {"w1": "running"}


def test_a_report_deletes_workers_that_were_lost_an_hour_ago(conn):
    report(conn, name="old")
    advance(conn, 1800)
    report(conn, name="lost")
    advance(conn, 1900)
    report(conn)
    assert states(conn) == {"lost": "lost", "w1": "running"}


def test_a_worker_that_is_dated_in_the_far_future_is_lost_and_deleted_after_an_hour(conn):
    report(conn, name="ahead")
    advance(conn, -100_000)
    assert states(conn) == {"ahead": "lost"}
    for passed in (0, 40, 3700):
        advance(conn, passed)
        report(conn)
    assert states(conn) == {"w1": "running"}


def test_a_report_deletes_a_bounded_number(conn):
    for number in range(20):
        report(conn, name=f"old{number}")
    advance(conn, 4000)
    report(conn)
    assert len(listed(conn)) == 13


def test_many_workers_report_less_often(conn):
    for number in range(40):
        beat_s = report(conn, name=f"w{number:02}")
    assert beat_s == 19
    assert report(conn, name="w00") == 20
    advance(conn, 59)
    assert states(conn)["w00"] == "running"
    advance(conn, 2)
    assert states(conn)["w00"] == "lost"


def test_a_worker_that_leaves_is_gone(conn):
    report(conn)
    assert call(conn, "honker_worker_leave", "w1") == 1
    assert call(conn, "honker_worker_leave", "w1") == 0
    assert listed(conn) == []


def test_the_list_comes_in_pages_by_name(conn):
    for name in "bca":
        report(conn, name=name)
    assert [worker["name"] for worker in call_json(conn, "honker_worker_list", None, 2)] == ["a", "b"]
    assert [worker["name"] for worker in call_json(conn, "honker_worker_list", "b", 2)] == ["c"]


def test_a_round_writes_the_report_with_the_jobs_it_claims(conn):
    first, second = enqueue(conn, "q", '{"__honker_task__": {"task": "a.b", "args": []}}'), enqueue(conn, "q", "{}")
    idle = json.dumps(FIELDS | {"busy": 0, "running": []})
    answer = call_json(conn, "honker_work", "q", "w", 5, 60, "[]", idle)
    assert (len(answer["jobs"]), answer["report_in_s"]) == (2, 10)
    (worker,) = listed(conn)
    assert worker["busy"] == 2
    assert [(job["id"], job["task"]) for job in worker["running"]] == [(first, "a.b"), (second, None)]


def test_a_round_without_a_report_writes_none(conn):
    enqueue(conn, "q")
    assert "report_in_s" not in call_json(conn, "honker_work", "q", "w", 5, 60, "[]")
    assert listed(conn) == []


@pytest.mark.parametrize(
    ("payload", "task"),
    [
        ('{"__honker_task__": {"task": "mail", "args": []}}', "mail"),
        ('{"__honker_task__":{"task":"mail"}}', "mail"),
        ('{"__honker_encoded_task__": {"task": "mail", "codec": "c"}}', "mail"),
        ('{"__honker_task__": {"task": "a\\u00fc\\"b"}}', 'aü"b'),
        ('{"__honker_task__": {"task": 5}}', None),
        ('{"__honker_task__": {"task": ""}}', None),
        ('{"__honker_task__": {"args": []}}', None),
        ('{"__honker_task__": {"task": "unended', None),
        ("not JSON", None),
    ],
)
def test_the_task_of_a_claimed_job_is_read_from_its_payload(conn, payload, task):
    enqueue(conn, "q", payload)
    call(conn, "honker_work", "q", "w", 5, 60, "[]", json.dumps(FIELDS | {"running": []}))
    assert listed(conn)[0]["running"][0]["task"] == task


def test_a_list_in_a_report_is_cut_to_a_hundred(conn):
    report(conn, queues=[f"q{number}" for number in range(300)])
    assert len(listed(conn)[0]["queues"]) == 100


@pytest.mark.parametrize(
    "changes",
    [{"name": ""}, {"host": "x" * 256}, {"slots": -1}, {"started_at": 1e12}, {"queues": ["a\0"]}, {"colour": 1}],
)
def test_a_wrong_report_is_refused_and_writes_nothing(conn, changes):
    before = dump(conn)
    with refused("HONKER_INVALID_ARGUMENT", "report_json"):
        report(conn, **changes)
    assert dump(conn) == before


def test_a_row_edited_by_hand_reads_with_empty_lists(conn):
    report(conn)
    conn.execute("UPDATE _honker_workers SET running = 'x', queues = '7'")
    (worker,) = listed(conn)
    assert (worker["running"], worker["queues"]) == ([], [])


def test_the_row_of_a_worker_is_small(conn):
    many = [{"id": number, "queue": "q" * 255, "task": "t" * 200, "since": 1.0} for number in range(1000)]
    report(conn, running=many)
    assert value(conn, "SELECT length(running) FROM _honker_workers") < 60_000
    assert rows(conn, "SELECT count(*) FROM _honker_workers") == [(1,)]
