"""Enqueue by tasks of one event loop that share commits: alone, and 64 at once.

    python bench/group_commit.py [--quick | --full]

Every measurement begins with a new database. `FULL` waits for the disk at each commit, `NORMAL` does not. A commit for
each call of `enqueue` is there for comparison.
"""

import sys

from support import numbers, program, rounds
from support.checks import check
from support.sides import OURS, start

TASKS = 64
LEVELS = {"NORMAL": "", "FULL": "_full"}


def measure(run):
    with start(run, OURS) as sides:
        side = sides[OURS]
        figures = rounds.interleave(
            run,
            {name(tasks, level): once(run, side, tasks, level) for tasks in (0, 1, TASKS) for level in LEVELS},
        )
    crowd = name(TASKS, "NORMAL")
    run.measure("group_commit", "enqueue by tasks of one event loop: jobs/s", figures, ours=crowd)
    for level, suffix in LEVELS.items():
        run.judge(f"group_commit{suffix}", numbers.spread(figures[name(TASKS, level)])["median"])


def name(tasks, level):
    who = {0: "enqueue", 1: "aenqueue, one task"}.get(tasks, f"aenqueue, {tasks} tasks")
    return f"{who}, {level}"


def once(run, side, tasks, level):
    count = size(run, tasks, level)

    def measure_once():
        with run.new_folder() as folder:
            side.open(path=str(folder / "bench.db"), synchronous=level)
            seconds = side.enqueue_by_tasks(count=count, tasks=tasks)
            seen = side.count()
            side.close()
        check(seen, count, f"jobs that {name(tasks, level)} has enqueued")
        return count / seconds

    return measure_once


def size(run, tasks, level):
    """The number of jobs. A commit that waits for the disk takes a hundred times as long."""
    if tasks == TASKS:
        return run.size(640, 64_000)
    return run.size(20, 8_000) if level == "NORMAL" else run.size(20, 200)


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
