"""Compare this checkout with another revision: both are built, and measured in the same rounds.

    python bench/compare.py REVISION [--rounds N] [--only MEASURE ...]

Each revision has its own package, its own library and its own driver, and runs in a separate process. The table shows
the rate of this checkout as a ratio of the other's, taken within each round: its median, lowest and highest. A measure
that a revision does not support is left out. Uncommitted changes take part; build them before.
"""

import argparse
import contextlib
import statistics
import sys

from support import machine, revisions, rounds, tables
from support.checks import CheckError, SideError
from support.program import Run
from support.results import STANDARD

HERE = "this checkout"

#: Rates of one side in a new database: a name, and a function of the side that returns operations per second.
MEASURES = {}


def measure(function):
    """Register a measure by the name of its function."""
    MEASURES[function.__name__] = function
    return function


@measure
def enqueue(side):
    done, seconds = side.enqueue(count=4_000, seconds=1.0)
    return done / seconds


@measure
def enqueue_in_transaction(side):
    return 10_000 / side.enqueue_in_transaction(count=10_000)


@measure
def enqueue_many(side):
    return 10_000 / side.enqueue_many(count=10_000)


@measure
def claim_and_ack(side):
    done = spent = 0
    for _ in range(30):
        side.fill(waiting=100)
        count, seconds = side.claim(count=100)
        done, spent = done + count, spent + seconds
    return done / spent


@measure
def claim_and_ack_behind_100_000(side):
    side.fill(waiting=100_000)
    done, seconds = side.claim(count=2_000, seconds=1.0)
    return done / seconds


@measure
def claim_and_ack_in_batches(side):
    side.fill(waiting=20_000)
    return 20_000 / side.claim_in_batches(count=20_000, size=100)


@measure
def worker(side):
    return 5_000 / side.work(count=5_000, concurrency=32, keeps_results=False)


@measure
def worker_with_results(side):
    return 5_000 / side.work(count=5_000, concurrency=32, keeps_results=True)


@measure
def publish(side):
    return 2_000 / side.publish(count=2_000)


@measure
def publish_many(side):
    return 10_000 / side.publish_many(count=10_000)


@measure
def read_events(side):
    side.publish_many(count=20_000)
    return 20_001 / side.read_events(count=20_001)


def main():
    options = parse()
    try:
        commit = revisions.resolve(options.revision)
        other = revisions.build(options.revision)
    except revisions.BuildError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    run = Run("compare", STANDARD, options.rounds, options.directory, False, options)
    print(tables.heading("compare", STANDARD, run.rounds, machine.describe(options.directory), machine.load()))
    lines = []
    with contextlib.ExitStack() as stack:
        sides = {}
        for name, folder in ((HERE, revisions.ROOT), (commit, other)):
            sides[name] = revisions.side(name, folder)
            stack.callback(sides[name].kill)
        for name in options.only:
            try:
                figures = rounds.interleave(
                    run, {each: once(run, side, MEASURES[name]) for each, side in sides.items()}
                )
            except CheckError as error:
                print(f"{name} is left out: {error}", file=sys.stderr)
            else:
                lines.append(row(name, figures[HERE], figures[commit]))
    headers = ["", f"{HERE} /s", f"{commit} /s", "ratio", "lowest", "highest"]
    print(tables.tabulate(lines, headers, disable_numparse=True))
    return 0 if lines else 1


def once(run, side, figure):
    def measure_once():
        with run.new_folder() as folder:
            side.open(path=str(folder / "bench.db"))
            try:
                return figure(side)
            finally:
                with contextlib.suppress(SideError):  # the process ended, and `figure` has raised that
                    side.close()

    return measure_once


def row(name, here, other):
    ratios = sorted(a / b for a, b in zip(here, other, strict=True))
    rates = [f"{statistics.median(each):,.0f}" for each in (here, other)]
    shown = (statistics.median(ratios), ratios[0], ratios[-1])
    return [name.replace("_", " "), *rates, *(f"{ratio:.2f}" for ratio in shown)]


def parse():
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("revision", help="a commit, branch or tag, such as HEAD~20")
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds (default: 7)")
    parser.add_argument(
        "--only", nargs="+", choices=MEASURES, default=list(MEASURES), metavar="MEASURE", help="only these"
    )
    parser.add_argument("--directory", metavar="DIR", help="where databases are made (default: a temporary directory)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
