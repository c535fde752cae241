"""Producers and workers in separate processes: if no process dies, every job is handled exactly once."""

import json
from collections import Counter

import honker
import pytest

from ..support.locking import ask
from ..support.processes import several

PRODUCER = """
import sys
import honker
path, number, count = sys.argv[1], *map(int, sys.stdin.readline().split())
with honker.open(path) as db:
    for step in range(count):
        db.queue("q").enqueue([number, step])
"""

WORKER = """
import asyncio, json, sys
import honker

def by_blocking(db, worker_id, seen):
    for job in db.queue("q").claim(worker_id):
        if job.payload is None:
            return job.ack()
        seen.append([*job.payload, job.attempts])
        assert job.ack()

async def by_awaiting(db, worker_id, seen):
    async for job in db.queue("q").claim(worker_id):
        if job.payload is None:
            return await job.aack()
        seen.append([*job.payload, job.attempts])
        assert await job.aack()

path, number = sys.argv[1], int(sys.stdin.readline())
with honker.open(path) as db:
    seen = []
    if number % 2:
        asyncio.run(by_awaiting(db, f"w{number}", seen))
    else:
        by_blocking(db, f"w{number}", seen)
print(json.dumps(seen))
"""


@pytest.mark.parametrize(
    ("producers", "workers", "jobs"), [(1, 2, 200), (4, 6, 300)], ids=["200 jobs, 2 workers", "300 jobs, 4 and 6"]
)
def test_processes_handle_every_job_exactly_once(path, producers, workers, jobs):
    with several(workers, WORKER, path) as working, several(producers, PRODUCER, path) as producing:
        for number, child in enumerate(working):
            child.say(number)
        for number, child in enumerate(producing):
            child.say(f"{number} {jobs // producers}")
        for child in producing:
            child.finish()
        with honker.open(path) as db:
            for _ in working:  # each ends with one of these, which come last
                db.queue("q").enqueue(None, priority=-1)
        handled = [tuple(job) for child in working for job in json.loads(child.finish()[0])]
    expected = [(number, step, 1) for number in range(producers) for step in range(jobs // producers)]
    assert [job for job, times in Counter(handled).items() if times > 1] == []
    assert sorted(handled) == expected
    assert ask(path, "SELECT * FROM _honker_live") == []
    assert ask(path, "SELECT * FROM _honker_dead") == []
