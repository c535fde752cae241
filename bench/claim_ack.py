"""Claim and acknowledge: one at a time, in batches, and against the backlog.

    python bench/claim_ack.py [--quick | --full]

One at a time: from a queue with 100 waiting jobs, and from one with 1,000,000 waiting, 1,000,000 delayed of ten higher
priorities and 100,000 in flight. By a loop: the ack of a job is part of the claim of the next one, with 100 waiting.
Against the backlog: with 100 to 1,000,000 waiting jobs, for all sides.

Huey deletes a job when it hands it out and has nothing to acknowledge; plain `sqlite3` has neither attempts nor leases.
"""

import contextlib
import sys

from support import floor, numbers, program, rounds
from support.checks import check
from support.sides import OURS, start

FEW = 100
BATCH = 100
MANY_PRIORITIES = 10
LOOP = f"{OURS}, loop with auto_ack"
TUNED = "huey tuned"
BATCHES = f"{OURS}, batches of {BATCH}"
BACKLOG = f"{OURS}, with a backlog"


def measure(run):
    with start(run) as sides:
        claim_few(run, sides)
        claim_by_loop(run, sides)
        claim_from_backlog(run, sides[OURS])
        claim_in_batches(run, sides)
        against_backlog(run, sides)


# -------------------------------------------------------------------------------------------------------- one at a time


def claim_few(run, sides):
    """Empty a queue of 100 jobs, and refill it, repeatedly."""
    limits = run.size((100, 0.2), (3_000, 1.0))
    figures = rounds.interleave(run, {name: few(run, side, *limits) for name, side in sides.items()})
    run.measure("claim", f"claim and ack one at a time, {FEW} waiting: jobs/s", figures)
    run.judge("claim", numbers.spread(figures[OURS])["median"])


def claim_by_loop(run, sides):
    """Empty and refill a queue of 100 jobs by the loop, in the same rounds as one claim and one ack at a time."""
    limits = run.size((100, 0.2), (3_000, 1.0))
    ways = {name: few(run, sides[name], *limits) for name in (OURS, TUNED) if name in sides}
    with start(run, OURS) as other:
        ways[LOOP] = few(run, other[OURS], *limits, claim=other[OURS].claim_by_loop)
        figures = rounds.interleave(run, ways)
    run.measure("claim_loop", f"claim and ack by a loop with auto_ack, {FEW} waiting: jobs/s", figures, ours=LOOP)
    run.judge("claim_loop", numbers.ratio(figures[LOOP], figures[OURS])["median"])
    if TUNED in figures:
        run.judge("claim_loop_tuned", numbers.ratio(figures[LOOP], figures[TUNED])["median"])


def few(run, side, count, limit_s, claim=None):
    claim = claim or side.claim

    def measure_once():
        total = spent = 0
        with run.new_folder() as folder:
            floor.open_new(side, folder)
            while total < count and spent < limit_s:
                side.fill(waiting=FEW)
                done, seconds = claim(count=FEW)
                total, spent = total + done, spent + seconds
            check(side.count(), 0, f"jobs that {side.name} has left")
            side.close()
        return total / spent

    return measure_once


def claim_from_backlog(run, side):
    """Measure in the same rounds as a queue of 100."""
    waiting = run.size(1_000, 1_000_000)
    backlog = {
        "waiting": waiting,
        "delayed": waiting,
        "in_flight": run.size(500, 100_000),
        "priorities": MANY_PRIORITIES,
    }
    count = run.size(100, 3_000)
    with run.new_folder() as folder, start(run, OURS) as other:
        side.open(path=str(folder / "backlog.db"))
        side.fill(**backlog)
        ways = {BACKLOG: large(side, count), OURS: few(run, other[OURS], count, 10.0)}
        figures = rounds.interleave(run, ways)
        side.close()
    rows = f"{waiting:,} waiting, {waiting:,} delayed and {backlog['in_flight']:,} in flight"
    run.measure("claim_backlog", f"claim and ack one at a time with {rows}: jobs/s", figures, ours=BACKLOG)
    run.judge("claim_backlog", numbers.ratio(figures[BACKLOG], figures[OURS])["median"])


def large(side, count):
    def measure_once():
        before = side.count()
        done, seconds = side.claim(count=count)
        check(side.count(), before - done, "jobs left in the backlog")
        return done / seconds

    return measure_once


# -------------------------------------------------------------------------------------------------------------- batches


def claim_in_batches(run, sides):
    """Compare only with the reference: the peers claim one at a time."""
    count = run.size(3, 100) * BATCH
    ways = {OURS: batches(run, sides[OURS], count)}
    if "reference" in sides:
        ways["reference"] = batches(run, sides["reference"], count)
    figures = rounds.interleave(run, ways)
    run.measure("claim_batch", f"claim and ack in batches of {BATCH}: jobs/s", figures)
    run.judge("claim_batch", numbers.spread(figures[OURS])["median"])


def batches(run, side, count):
    def measure_once():
        with run.new_folder() as folder:
            side.open(path=str(folder / "bench.db"))
            side.fill(waiting=count)
            seconds = side.claim_in_batches(count=count, size=BATCH)
            check(side.count(), 0, "jobs left")
            side.close()
        return count / seconds

    return measure_once


# -------------------------------------------------------------------------------------------------- against the backlog


def against_backlog(run, sides):
    """Milliseconds for one claim and its ack, by the number of waiting jobs. Sizes that are too slow are cut short."""
    sizes = run.size((100, 1_000), (100, 1_000, 10_000, 100_000, 1_000_000))
    limits = run.size((20, 0.1), (90, 0.3))
    curves = {}
    for size in sizes:
        with contextlib.ExitStack() as stack:
            for side in sides.values():
                floor.open_new(side, stack.enter_context(run.new_folder()))
                side.fill(waiting=size)
            ways = {name: claim_some(side, *limits) for name, side in sides.items()}
            for name, figures in rounds.interleave(run, ways, rounds=run.size(1, 3)).items():
                curves.setdefault(name, {})[size] = numbers.spread(figures)
            for side in sides.values():
                side.close()
        show_latency(size, curves)
    run.extra["latency_ms"] = curves


def claim_some(side, count, limit_s):
    def measure_once():
        done, seconds = side.claim(count=count, seconds=limit_s)
        side.fill(waiting=done)
        return seconds / done * 1000

    return measure_once


def show_latency(size, curves):
    figures = {name: curve[size]["median"] for name, curve in curves.items() if size in curve}
    line = "  ".join(f"{name} {value:,.3g}" for name, value in figures.items())
    print(f"one claim and ack with {size:,} waiting, ms: {line}")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
