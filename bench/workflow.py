"""Run diamonds of jobs: one job, many that wait for it, and one that waits for all of these.

    python bench/workflow.py [--quick | --full]

Jobs of a diamond are compared with as many plain ones, and a large diamond with a small one: a job that ends may cost
as much in both, because it looks at its own edges and not at those of the others. No target is judged.
"""

import json
import sys
import time

import honker
from support import numbers, program, rounds
from support.checks import check

SMALL, LARGE, PLAIN = "a diamond of 100", "a diamond of {:,}", "{:,} plain jobs"
BATCH = 100
MANY = "SELECT honker_enqueue_many('q', ?, NULL, NULL, 0, 3, NULL, ?) AS ids"


def measure(run):
    count = run.size(500, 10_000)
    large, plain = LARGE.format(count), PLAIN.format(count)
    ways = {
        plain: lambda: run_jobs(run, count, is_diamond=False),
        SMALL: lambda: run_jobs(run, 100, is_diamond=True, times=max(1, count // 100)),
        large: lambda: run_jobs(run, count, is_diamond=True),
    }
    figures = rounds.interleave(run, ways)
    run.measure("workflow", "enqueue, claim and ack in batches of 100: jobs/s", figures, ours=large)
    run.extra["large_to_small"] = numbers.ratio(figures[large], figures[SMALL])["median"]


def run_jobs(run, count, *, is_diamond, times=1):
    """Jobs per second from the enqueue of the first to the ack of the last."""
    with run.new_folder() as folder, honker.open(folder / "workflow.db") as db:
        queue = db.queue("q")
        began = time.perf_counter()
        done = 0
        for _ in range(times):
            enqueue(db, count, is_diamond=is_diamond)
            while jobs := queue.claim_batch("w", BATCH):
                done += queue.ack_batch([job.id for job in jobs], "w")
        seconds = time.perf_counter() - began
    check(done, times * (count + 2 if is_diamond else count), "jobs that have run")
    return done / seconds


def enqueue(db, count, *, is_diamond):
    def add(tx, count, *parents):
        flow_json = json.dumps({"after": parents}) if parents else None
        return json.loads(tx.query(MANY, [json.dumps([{}] * count), flow_json])[0]["ids"])

    with db.transaction() as tx:
        if not is_diamond:
            add(tx, count)
            return
        middle = add(tx, count, *add(tx, 1))
        add(tx, 1, *middle)


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
