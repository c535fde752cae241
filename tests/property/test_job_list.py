"""A walk in pages over the list of jobs sees each matching job exactly once while nothing changes."""

import json

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ..sql.database import call, call_json
from ..sql.loading import connect

pytestmark = pytest.mark.sqlite_only("tests/postgres/test_inspection.py compares lists and walks with a model")

TABLES = {
    "ready": ("_honker_live", {"state": "pending", "run_at": 1}),
    "delayed": ("_honker_live", {"state": "pending", "run_at": 4_102_444_800}),
    "running": ("_honker_live", {"state": "processing", "claim_expires_at": 4_102_444_800}),
    "blocked": ("_honker_live", {"state": "blocked"}),
    "waiting": ("_honker_live", {"state": "waiting"}),
    "dead": ("_honker_dead", {}),
    "done": ("_honker_finished", {"state": "done"}),
    "cancelled": ("_honker_finished", {"state": "cancelled"}),
}
FINISHED = {"priority": 0, "attempts": 1, "max_attempts": 3, "created_at": 1, "finished_at": 2, "expires_at": 4e9}

queues = st.sampled_from(["a", "b"])
tasks = st.sampled_from(["mail", "load"])
keys = st.sampled_from([None, "k"])
one_job = st.fixed_dictionaries(
    {
        "state": st.sampled_from(list(TABLES)),
        "queue": queues,
        "task": tasks,
        "key": keys,
        "priority": st.integers(-1, 1),
    }
)
filters = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(list(TABLES)),
        "queue": queues,
        "task": tasks,
        "key": st.just("k"),
        "args": st.builds(lambda n: {"n": n}, st.integers(0, 3)),
        "ids": st.lists(st.integers(1, 40), max_size=10),
    },
)


def insert(conn, job_id, job):
    table, columns = TABLES[job["state"]]
    payload = json.dumps({"__honker_task__": {"task": job["task"], "args": [], "kwargs": {"n": job_id % 4}}})
    row = {"id": job_id, "queue": job["queue"], "key": job["key"], "payload": payload, "priority": job["priority"]}
    row |= columns | (FINISHED if table == "_honker_finished" else {})
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    conn.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def matches(job_id, job, conditions):
    wanted = {name: value for name, value in conditions.items() if name in {"state", "queue", "task", "key"}}
    return (
        all(job[name] == value for name, value in wanted.items())
        and job_id in conditions.get("ids", [job_id])
        and conditions.get("args", {"n": job_id % 4}) == {"n": job_id % 4}
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(one_job, max_size=40), st.lists(st.tuples(filters, st.integers(1, 7)), min_size=1, max_size=6))
def test_a_walk_sees_each_matching_job_once_and_no_other(jobs, walks):
    conn = connect(":memory:")
    call(conn, "honker_bootstrap")
    for job_id, job in enumerate(jobs, start=1):
        insert(conn, job_id, job)
    for conditions, n in walks:
        seen, after = [], None
        while True:
            page = call_json(conn, "honker_jobs_list", json.dumps(conditions), after, n)
            assert len(page["jobs"]) <= n
            seen += [(job["id"], job["state"], job["queue"], job["task"]) for job in page["jobs"]]
            after = page["next"]
            if after is None:
                break
        expected = [
            (job_id, job["state"], job["queue"], job["task"])
            for job_id, job in enumerate(jobs, start=1)
            if matches(job_id, job, conditions)
        ]
        assert seen == expected[::-1]
    conn.close()
