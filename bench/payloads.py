"""Large payloads: enqueue, and claim and ack, with 1 KiB, 64 KiB and 1 MiB each.

    python bench/payloads.py [--quick | --full]

Plain `sqlite3` is a minimal queue, with the same JSON in one column.
"""

import sys

from support import floor, program, rounds
from support.checks import check
from support.sides import start

SIZES = {"1 KiB": 1 << 10, "64 KiB": 1 << 16, "1 MiB": 1 << 20}

ROUNDS = {program.QUICK: 1, program.STANDARD: 2, program.FULL: 5}


def measure(run):
    with start(run) as sides:
        for title, size in SIZES.items():
            count = run.size(3, max(30, 2_000_000 // (size + 10_000)))
            for way in ("enqueue", "claim"):
                ways = {name: once(run, side, way, size, count) for name, side in sides.items()}
                figures = rounds.interleave(run, ways, is_warmed=False)
                what = "enqueue" if way == "enqueue" else "claim and ack"
                run.measure(f"{way} {title}", f"{what} with {title} of payload: jobs/s", figures)


def once(run, side, way, size, count):
    limit_s = run.size(0.1, 0.4)

    def measure_once():
        with run.new_folder() as folder:
            floor.open_new(side, folder)
            done, seconds = side.enqueue(count=count, seconds=limit_s, payload_bytes=size)
            check(side.count(), done + 1, f"jobs that {side.name} has enqueued")
            if way == "claim":
                done, seconds = side.claim(count=done, seconds=limit_s)
            side.close()
        return done / seconds

    return measure_once


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, rounds=ROUNDS))
