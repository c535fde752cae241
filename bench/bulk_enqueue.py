"""Enqueue many jobs at once: in one call, and inside one transaction, against `executemany` of the same rows.

    python bench/bulk_enqueue.py [--quick | --full]

Of the peers only litequeue offers a transaction. The others commit each job; `enqueue.py` measures them.
"""

import sys

from support import floor, numbers, program, rounds
from support.checks import check
from support.sides import OURS, PLAIN, Unsupported, start

ONE_CALL = f"{OURS}, one call"
IN_TRANSACTION = f"{OURS}, inside one transaction"
#: The upper bound with a call for each job.
EACH = f"{PLAIN}, a call for each row"


def measure(run):
    count = run.size(200, 10_000)
    with run.new_folder() as folder, start(run, OURS, PLAIN, "litequeue", "reference") as sides:
        row = floor.of_jobs(folder)
        ways = {
            PLAIN: once(run, sides[PLAIN], "insert_many", count, row),
            EACH: once(run, sides[PLAIN], "insert_each", count, row),
            IN_TRANSACTION: once(run, sides[OURS], "enqueue_in_transaction", count, row),
        }
        if can_enqueue_many(run, sides[OURS]):
            ways[ONE_CALL] = once(run, sides[OURS], "enqueue_many", count, row)
        for peer in sides.keys() - {OURS, PLAIN}:
            ways[peer] = once(run, sides[peer], "enqueue_in_transaction", count, row)
        figures = rounds.interleave(run, ways)
    ours = ONE_CALL if ONE_CALL in figures else IN_TRANSACTION
    run.measure("bulk_enqueue", f"enqueue {count:,} jobs in one transaction: jobs/s", figures, ours=ours)
    each = numbers.ratio(figures[EACH], figures[PLAIN])["median"]
    seen = numbers.ratio(figures[IN_TRANSACTION], figures[PLAIN])["median"]
    run.judge("in_transaction", seen, f"{EACH}: {each:.2f}")
    if ONE_CALL in figures:
        run.judge("bulk", numbers.ratio(figures[ONE_CALL], figures[PLAIN])["median"])


def can_enqueue_many(run, side):
    with run.new_folder() as folder:
        side.open(path=str(folder / "probe.db"))
        try:
            side.enqueue_many(count=1)
        except Unsupported:
            return False
        finally:
            side.close()
    return True


def once(run, side, way, count, row):
    def measure_once():
        with run.new_folder() as folder:
            floor.open_new(side, folder, row)
            arguments = {"statement": row.statement, "row": row.row} if side.name == PLAIN else {}
            seconds = getattr(side, way)(count=count, **arguments)
            seen = side.rows(table=row.table) if side.name == PLAIN else side.count()
            side.close()
        check(seen, count + 1, f"jobs that {side.name} has enqueued, one to warm up included")
        return count / seconds

    return measure_once


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
