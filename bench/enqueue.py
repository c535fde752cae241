"""Enqueue, one job per commit: honker, a plain INSERT of the same row into the same table, and other queues.

    python bench/enqueue.py [--quick | --full]

Every side begins each round with a new database, in a separate process. Payloads are the same. The table lists the
durability of each side's commits.
"""

import sys

from support import floor, numbers, program, rounds
from support.checks import check
from support.sides import OURS, PLAIN, PLAIN_FULL, start


def measure(run):
    count = run.size(100, 4_000)
    # A commit that waits for the disk takes a long and varying time.
    limit_s = run.size(0.2, 1.0)
    with run.new_folder() as folder, start(run) as most, start(run, PLAIN_FULL) as durable:
        row, sides = floor.of_jobs(folder), {**most, **durable}
        figures = rounds.interleave(run, {name: once(run, side, (count, limit_s), row) for name, side in sides.items()})
    run.measure("enqueue", f"enqueue {count:,} jobs, each in a commit of its own: jobs/s", figures)
    run.judge("enqueue", numbers.ratio(figures[OURS], figures[PLAIN])["median"])


def once(run, side, limits, row):
    count, limit_s = limits

    def measure_once():
        with run.new_folder() as folder:
            floor.open_new(side, folder, row)
            if side.name in {PLAIN, PLAIN_FULL}:
                done, seconds = side.insert(statement=row.statement, row=row.row, count=count, seconds=limit_s)
                seen = side.rows(table=row.table)
            else:
                done, seconds = side.enqueue(count=count, seconds=limit_s)
                seen = side.count()
            side.close()
        check(seen, done + 1, f"jobs that {side.name} has enqueued, one to warm up included")
        return done / seconds

    return measure_once


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
