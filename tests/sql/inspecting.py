"""Short calls of the functions that look at them and operate on them."""

import json

from .database import call, call_json


def configure(conn, queue="q", **settings):
    call(conn, "honker_queue_configure", queue, json.dumps(settings))


def enqueue_with(conn, queue="q", payload="{}", **options):
    return call(conn, "honker_enqueue", queue, payload, json.dumps(options))


def call_of(task, *args, **kwargs):
    return json.dumps({"__honker_task__": {"task": task, "args": args, "kwargs": kwargs}})


def fail(conn, job_id, error="boom", worker="w"):
    assert call(conn, "honker_fail", job_id, worker, error) == 1


def page(conn, after=None, n=100, **conditions):
    return call_json(conn, "honker_jobs_list", json.dumps(conditions), after, n)


def ids(conn, n=100, **conditions):
    return [job["id"] for job in page(conn, None, n, **conditions)["jobs"]]


def apply(conn, verb, after=None, n=500, **conditions):
    return call_json(conn, "honker_jobs_apply", verb, json.dumps(conditions), after, n)


def detail(conn, job_id):
    return call_json(conn, "honker_job_detail", job_id)


def why(conn, job_id):
    return detail(conn, job_id)["why"]
