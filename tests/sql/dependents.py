"""Make jobs that wait for others, and end them."""

import json

import pytest

from .database import call, call_json, claimed_ids
from .jobs import states


def after(conn, *parents, queue="q", policy=None, **options):
    options |= {"after": list(parents)}
    if policy is not None:
        options |= {"on_parent_failure": policy}
    return call(conn, "honker_enqueue", queue, "{}", json.dumps(options))


def state(conn, job_id):
    return states(conn).get(job_id, (None, None))[0]


def error(conn, job_id):
    return states(conn)[job_id][1]


def finish(conn, job_id, result=None, queue="q"):
    """Run the job, which must be the next one, to success."""
    assert claimed_ids(conn, queue) == [job_id]
    if result is not None:
        call(conn, "honker_result_save", job_id, result, 60)
    assert call(conn, "honker_ack", job_id, "w") == 1


def kill(conn, job_id, reason="broken"):
    """Run the job, which must be the next one, to its death."""
    assert claimed_ids(conn) == [job_id]
    assert call(conn, "honker_fail", job_id, "w", reason) == 1


def parents(conn, job_id):
    return [tuple(parent.values()) for parent in call_json(conn, "honker_job_parents", job_id)]


@pytest.fixture(autouse=True)
def no_violations(conn, request):
    """Only tests that write to the tables of honker leave violations."""
    yield
    if "violation" not in request.node.name:
        assert call_json(conn, "honker_flow_violations", 100) == []
