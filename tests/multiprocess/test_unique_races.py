"""Processes that race for the same unique keys: each key gets one job, and every process reads the same id for it."""

import json

import honker
import pytest

from ..support.locking import ask
from ..support.processes import several

PRODUCER = """
import json, sys
import honker
path, keys, count = sys.argv[1], *map(int, sys.argv[2:])
conn = honker.connect(path, isolation_level=None, timeout=60)
print("ready", flush=True)
sys.stdin.readline()
ids, made = {}, []
for step in range(count):
    key = f"key {step % keys}"
    sql, options = "SELECT honker_enqueue_unique('q', '{}', ?)", json.dumps({"unique_key": key})
    job = json.loads(conn.execute(sql, (options,)).fetchone()[0])
    assert ids.setdefault(key, job["id"]) == job["id"]
    if not job["is_duplicate"]:
        made.append(job["id"])
print(json.dumps([ids, made]))
"""


@pytest.mark.sqlite_only("tests/postgres/test_unique.py has sessions that race")
@pytest.mark.parametrize(("count", "keys"), [(1_000, 100)], ids=["1000 enqueues of 100 keys each"])
def test_two_processes_that_race_make_one_job_of_each_key(path, count, keys):
    honker.open(path).close()
    with several(2, PRODUCER, path, keys, count) as children:
        for child in children:
            child.expect("ready")
        for child in children:
            child.say()
        (first_ids, first_made), (second_ids, second_made) = [json.loads(child.finish()[-1]) for child in children]
    jobs = dict(ask(path, "SELECT unique_key, id FROM _honker_live"))
    assert len(jobs) == keys
    assert first_ids == second_ids == jobs
    assert sorted(first_made + second_made) == sorted(jobs.values())
