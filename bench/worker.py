"""A worker end to end: async tasks that do nothing, with results off and on; and two worker processes beside one.

    python bench/worker.py [--quick | --full]

The jobs wait when the clock starts, and the clock stops when the last one is settled. The lower bound is the database's
share: batches of as many jobs, claimed and acknowledged without a worker. Huey's consumer runs with one thread: its
tasks share one interpreter and one connection, and more threads are slower here.
"""

import contextlib
import sys
import time

from support import numbers, program, rounds
from support.checks import check
from support.sides import OURS, start

CONCURRENCY = 32
ROUNDS = {program.QUICK: 1, program.STANDARD: 3, program.FULL: 9}
BATCHES = f"{OURS}, batches of {CONCURRENCY} without a worker"


def measure(run):
    with start(run, OURS, "huey", "huey tuned", "reference") as sides:
        # With its defaults Huey waits for the disk at each commit: fewer jobs are enough.
        for keeps_results, key in ((False, "worker"), (True, "worker_results")):
            ways = {name: once(run, side, keeps_results) for name, side in sides.items()}
            ways[BATCHES] = batches(run, sides[OURS])
            figures = rounds.interleave(run, ways)
            title = f"worker, {CONCURRENCY} slots, no-op tasks, results {'on' if keeps_results else 'off'}"
            run.measure(key, f"{title}: jobs/s", figures)
            floor = numbers.spread(figures[BATCHES])["median"]
            run.judge(key, numbers.spread(figures[OURS])["median"], f"without a worker: {floor:,.0f}")

    two_processes(run)


def two_processes(run):
    """The same tasks, with results off, by one worker process and by two on one file."""
    with contextlib.ExitStack() as stack:
        team = [stack.enter_context(start(run, OURS))[OURS] for _ in range(2)]
        one, two = f"{OURS}, 1 process", f"{OURS}, 2 processes"
        figures = rounds.interleave(run, {one: together(run, team[:1]), two: together(run, team)})
    run.measure(
        "worker_processes", f"workers of {CONCURRENCY} slots on one file, results off: jobs/s of all", figures, ours=two
    )
    run.judge("worker_processes", numbers.ratio(figures[two], figures[one])["median"])


def together(run, team):
    """Jobs per second from the first request to the last answer."""
    count = run.size(500, 30_000)

    def measure_once():
        with run.new_folder() as folder:
            for side in team:
                side.open(path=str(folder / "worker.db"))
            team[0].put_tasks(count=count)
            began = time.perf_counter()
            for side in team:
                side.ask("work_on_tasks", concurrency=CONCURRENCY)
            ran = [number for side in team for number in side.answer()]
            seconds = time.perf_counter() - began
            for side in team:
                side.close()
        check((len(ran), len(set(ran))), (count, count), "tasks that ran, and different ones")
        return count / seconds

    return measure_once


def once(run, side, keeps_results):
    slow = "FULL" in run.sides[side.name]["durability"] or side.name == "reference"
    count = run.size(60, 150) if slow else run.size(500, 15_000 if side.name == OURS else 5_000)

    def measure_once():
        with run.new_folder() as folder:
            side.open(path=str(folder / "worker.db"))
            seconds = side.work(count=count, concurrency=CONCURRENCY, keeps_results=keeps_results)
            side.close()
        return count / seconds

    return measure_once


def batches(run, side):
    count = run.size(500, 15_000)

    def measure_once():
        with run.new_folder() as folder:
            side.open(path=str(folder / "worker.db"))
            side.fill(waiting=count)
            seconds = side.claim_in_batches(count=count, size=CONCURRENCY)
            side.close()
        return count / seconds

    return measure_once


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, rounds=ROUNDS))
