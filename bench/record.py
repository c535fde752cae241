"""The price of the record of moves: counters by minute and lifecycle events, on and off.

    python bench/record.py [--quick | --full]

Jobs are enqueued, claimed and acknowledged one at a time, and in batches of 50. The figures are jobs per second of the
processor time of this process, so that other programs of the machine count less.
"""

import sys
import time

import honker
from support import numbers, program, rounds
from support.checks import check

BATCH = 50
OFF, COUNTERS, EVENTS = "off", "counters", "events"
SETTINGS = {OFF: {}, COUNTERS: {COUNTERS: True}, EVENTS: {EVENTS: True}}
TITLES = {"one": "enqueue, claim and ack one at a time", "batch": f"enqueue, claim and ack in batches of {BATCH}"}


def measure(run):
    for key, ends_jobs in (("one", one_at_a_time), ("batch", in_batches)):
        ways = {name: once(run, settings, ends_jobs) for name, settings in SETTINGS.items()}
        figures = rounds.interleave(run, ways)
        run.measure(f"record_{key}", f"{TITLES[key]}: jobs/s of processor time", figures, ours=COUNTERS)
        for name in (COUNTERS, EVENTS):
            run.judge(f"{name}_{key}", numbers.ratio(figures[name], figures[OFF])["median"])


def once(run, settings, end_jobs):
    count = run.size(2 * BATCH, 100 * BATCH)

    def measure_once():
        with run.new_folder() as folder, honker.open(folder / "record.db") as db:
            db.configure(**settings)
            queue = db.queue("q")
            began = time.process_time()
            end_jobs(queue, count)
            seconds = time.process_time() - began
            counted = sum(row.done for row in db.counter_totals())
            check(counted, count if COUNTERS in settings else 0, "jobs that were counted")
        return count / seconds

    return measure_once


def one_at_a_time(queue, count):
    for _ in range(count):
        queue.enqueue({"to": "someone"})
        (job,) = queue.claim_batch("w", 1)
        check(job.ack(), True, "the ack of a job")


def in_batches(queue, count):
    for _ in range(count // BATCH):
        queue.enqueue_many([{"to": "someone"}] * BATCH)
        jobs = queue.claim_batch("w", BATCH)
        check(queue.ack_batch([job.id for job in jobs], "w"), BATCH, "acks of a batch")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
