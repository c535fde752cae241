"""Calls whose arguments a codec wrote: lists, groups and filters name their task as those of other calls."""

import pytest

from .database import call, call_json, claim, enqueue

ENCODED = '{"__honker_encoded_task__": {"task": "mail", "codec": "c", "body": "x"}}'


@pytest.fixture(params=["live", "dead", "finished"])
def job_id(conn, request):
    call(conn, "honker_queue_configure", "q", '{"keep_finished_s": 60}')
    job_id = enqueue(conn, "q", ENCODED)
    enqueue(conn, "q", '{"__honker_encoded_task__": {"task": "other", "codec": "c", "body": "x"}}')
    end = {"live": None, "dead": ("honker_fail", "e"), "finished": ("honker_ack",)}[request.param]
    if end:
        claim(conn, "q", "w")
        verb, *error = end
        assert call(conn, verb, job_id, "w", *error, 1) == 1
    return job_id


def test_an_encoded_call_is_listed_with_its_task(conn, job_id):
    jobs = call_json(conn, "honker_jobs_list", "{}", None, 10)["jobs"]
    assert {job["id"]: job["task"] for job in jobs} == {job_id: "mail", job_id + 1: "other"}


def test_a_filter_finds_an_encoded_call_by_its_task(conn, job_id):
    found = call_json(conn, "honker_jobs_list", '{"task": "mail"}', None, 10)["jobs"]
    assert [job["id"] for job in found] == [job_id]


def test_dead_encoded_calls_are_grouped_by_their_task(conn):
    for _ in range(2):
        job_id = enqueue(conn, "q", ENCODED)
        claim(conn, "q", "w")
        call(conn, "honker_fail", job_id, "w", "ValueError: x", 1)
    (group,) = call_json(conn, "honker_dead_groups", None, None, 10)["groups"]
    assert (group["task"], group["count"]) == ("mail", 2)
