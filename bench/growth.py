"""Growth of each operation's time with the number of rows, and of the file with the number of processed jobs.

    python bench/growth.py [--quick | --full]

Each curve goes from 100 rows to 100,000 (with --full to 1,000,000) of one kind: jobs that are ready, delayed, delayed
with a higher priority, in flight, dead, or of another queue; results; events of a stream; and from 10 to 1,000 queues
and consumers. The sizes of one curve are measured in the same rounds, in random order. From the smallest to the
largest, time may grow as the logarithm of the rows does: three times from 100 to 1,000,000. `stats` counts up to a
limit, so it is judged only from that limit on.
"""

import contextlib
import math
import statistics
import sys
import time

import honker
from support import numbers, program, rounds, shapes
from support.checks import check
from support.tables import tabulate

BATCH, A_MILLION = 1_000, 1_000_000

ROUNDS = {program.QUICK: 1, program.STANDARD: 3, program.FULL: 5}


def measure(run):
    only = run.options.shapes or list(shapes.SHAPES)
    curves = {shape: curve(run, shape) for shape in only}
    run.extra["curves_us"] = curves
    steepest = sorted(steepness(curves), reverse=True)
    show(curves, steepest)
    factor, shape, operation, sizes = steepest[0]
    above = sum(each[0] > 1 for each in steepest)
    rows = f"{sizes[0]:,} to {sizes[-1]:,} {shapes.SHAPES[shape].title}"
    run.judge("growth", factor, f"{operation} with {rows}; {above} of {len(steepest)} curves are steeper than log n")
    if not run.options.shapes:
        pass_through(run)


# --------------------------------------------------------------------------------------------------------------- curves


def curve(run, shape):
    """The median microseconds of each round, by operation and size."""
    kind = shapes.SHAPES[shape]
    largest = run.size(1_000, 100_000, 1_000_000)
    sizes = kind.sizes or [10**power for power in range(2, round(math.log10(largest)) + 1)]
    cycles = run.size(10, 200)
    with contextlib.ExitStack() as stack:
        places = {}
        for size in sizes:
            folder = stack.enter_context(run.new_folder())
            db = stack.enter_context(honker.open(folder / "growth.db"))
            kind.build(db, size)
            places[size] = kind.operations(db)
        seen = {operation: {size: [] for size in sizes} for operation in places[sizes[0]]}

        def times(size):
            for operation, microseconds in cycle(places[size], cycles).items():
                seen[operation][size].append(microseconds)

        rounds.interleave(run, {f"{shape} {size:,}": lambda size=size: times(size) for size in sizes})
    # The first of each belongs to the round that warms the caches.
    return {name: {size: numbers.spread(each[1:]) for size, each in by.items()} for name, by in seen.items()}


def cycle(operations, count):
    """Run the operations in turn, repeatedly. Returns the median microseconds of each."""
    taken = {name: [] for name in operations}
    for number in range(count):
        for name, operation in operations.items():
            if operation.is_rare and number % 10:
                continue
            began = time.perf_counter()
            operation.run()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) * 1e6 for name, each in taken.items()}


def steepness(curves):
    """For each curve, its growth as a share of the allowed logarithm, with its shape and operation."""
    for shape, operations in curves.items():
        for operation, by_size in operations.items():
            sizes = sorted(size for size in by_size if size >= shapes.JUDGED_FROM.get(operation, 0))
            if sizes[:1] != sizes[-1:]:  # at least two
                grown = by_size[sizes[-1]]["median"] / by_size[sizes[0]]["median"]
                yield grown / (math.log(sizes[-1]) / math.log(sizes[0])), shape, operation, sizes


def show(curves, steepest):
    for shape, operations in curves.items():
        sizes = sorted(next(iter(operations.values())))
        lines = [[name, *(by_size[size]["median"] for size in sizes)] for name, by_size in operations.items()]
        print(f"\n{shapes.SHAPES[shape].title}: microseconds by their number")
        print(tabulate(lines, ["", *(f"{size:,}" for size in sizes)], floatfmt=",.1f"))
    lines = [[f"{operation}, {shapes.SHAPES[shape].title}", factor] for factor, shape, operation, _ in steepest[:5]]
    print(f"\n{tabulate(lines, ['the steepest curves', 'growth / that of log n'], floatfmt='.2f')}")


# ------------------------------------------------------------------------------------------------------------ file size


def pass_through(run):
    """Enqueue, claim and acknowledge jobs; measure the file afterwards and the largest WAL."""
    few, many = run.size((1_000, 3_000), (10_000, 100_000), (10_000, 1_000_000))
    file_bytes, log_bytes = {}, 0
    bar = run.progress(many // BATCH, "batch")
    with bar, run.new_folder() as folder, honker.open(folder / "passed.db") as db:
        for passed in range(BATCH, many + 1, BATCH):
            pass_batch(db.queue("bench"))
            log_bytes = max(log_bytes, (folder / "passed.db-wal").stat().st_size)
            if passed in {few, many}:
                check(shapes.live_count(db), 0, "jobs left")
                shapes.checkpoint(db)
                file_bytes[passed] = (folder / "passed.db").stat().st_size
            bar.update()
    run.extra.update(file_bytes=file_bytes, log_bytes=log_bytes)
    note = f"{file_bytes[many] / 1e6:.1f} MB after {many:,} jobs; WAL of at most {log_bytes / 1e6:.0f} MB"
    run.judge("file_size", file_bytes[many] / file_bytes[few], note, is_full_scale=many >= A_MILLION)


def pass_batch(queue):
    with queue.db.transaction() as tx:
        for number in range(BATCH):
            queue.enqueue(number, tx=tx)
    jobs = queue.claim_batch("worker-1", BATCH)
    check(queue.ack_batch(jobs, "worker-1"), BATCH, "jobs acknowledged")


def add_arguments(parser):
    parser.add_argument("--shapes", nargs="+", choices=list(shapes.SHAPES), help="only these curves")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, add_arguments, ROUNDS))
