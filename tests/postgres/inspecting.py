"""Short calls of the functions that look at jobs and operate on many of them."""

import json

from .sessions import call, claim, enqueue


def configure(conn, queue="q", **settings):
    call(conn, "honker_queue_configure", queue, json.dumps(settings))


def call_of(task, *args, **kwargs):
    return json.dumps({"__honker_task__": {"task": task, "args": args, "kwargs": kwargs}})


def fail(conn, job_id, error="boom"):
    assert call(conn, "honker_fail", job_id, "w", error) == 1


def bury(conn, queue="q", error="boom", **options):
    """Enqueue a job and make a dead letter of it. Returns its id."""
    enqueue(conn, queue, **options)
    (job,) = claim(conn, queue)
    fail(conn, job["id"], error)
    return job["id"]


def page(conn, after=None, n=100, **conditions):
    return json.loads(call(conn, "honker_jobs_list", json.dumps(conditions), after, n))


def ids(conn, n=100, **conditions):
    return [job["id"] for job in page(conn, None, n, **conditions)["jobs"]]


def walk(conn, n, **conditions):
    """The ids of all pages."""
    found = page(conn, None, n, **conditions)
    seen = [job["id"] for job in found["jobs"]]
    while found["next"] is not None:
        found = page(conn, found["next"], n, **conditions)
        seen += [job["id"] for job in found["jobs"]]
    return seen


def apply(conn, verb, after=None, n=500, **conditions):
    return json.loads(call(conn, "honker_jobs_apply", verb, json.dumps(conditions), after, n))


def detail(conn, job_id):
    return json.loads(call(conn, "honker_job_detail", job_id))


def why(conn, job_id):
    return detail(conn, job_id)["why"]


def listed(conn, function, *arguments):
    return json.loads(call(conn, function, *arguments))


def fill(conn, count, queue="q", priority=0, delay=0):
    """Insert many pending jobs in one statement."""
    conn.execute(
        "INSERT INTO live (queue, payload, priority, run_at, max_attempts, created_at)"
        " SELECT %s, '{}', %s, honker._now() + %s * 1000, 3, honker._now() FROM generate_series(1, %s)",
        (queue, priority, delay, count),
    )
