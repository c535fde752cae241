"""How fast a worker runs tasks that do nothing, end to end, with results off and on.

    python bench/worker.py [--quick]

The jobs wait when the clock starts; it stops when the last one has ended. Beside it, in the same round and on the same
file, the least that the database asks for: batches claimed and acknowledged with nothing in between. Ratios are taken
within each round; shown are the median of the rounds, the lowest and the highest.

Each run counts what it did, and a wrong count ends the benchmark. A target that is missed is reported as such; the exit
code tells only whether the figures are right.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import honker

CONCURRENCY = 32
TARGETS = {"results off": 20_000, "results on": 12_000}
VERDICTS = {True: "reached", False: "NOT REACHED"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    arguments = parser.parse_args()
    rounds, jobs = (1, 1_000) if arguments.quick else (5, 20_000)
    rates = {"batches": [], **{way: [] for way in TARGETS}}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder, honker.open(Path(folder) / "worker.db") as db:
            for way in sorted(rates, reverse=number % 2 == 1):
                rates[way].append(jobs / measure(db, way, jobs))
    print(f"a worker with {CONCURRENCY} slots, {jobs:,} tasks that do nothing, {rounds} rounds: jobs/s")
    for way, seen in rates.items():
        ratio = statistics.median(own / other for own, other in zip(seen, rates["batches"], strict=True))
        target = TARGETS.get(way)
        verdict = "" if target is None else f"  target {target:,}: {VERDICTS[statistics.median(seen) >= target]}"
        spread = f"{statistics.median(seen):9,.0f}  ({min(seen):,.0f} - {max(seen):,.0f})"
        print(f"  {way:12}{spread}  {ratio:.2f} of batches{verdict}")


def measure(db, way, jobs):
    """Seconds for so many jobs."""
    honker.registry()._by_name.clear()
    queue = db.queue(way)
    ran = []

    @queue.task(name=way, store_result=way == "results on")
    async def task(number):
        ran.append(number)
        return number

    with db.transaction() as tx:
        ids = [task.enqueue_with(tx=tx)(number).id for number in range(jobs)]
    began = time.perf_counter()
    if way == "batches":
        while claimed := queue.claim_batch("w", CONCURRENCY):
            ran += [job.payload["__honker_task__"]["args"][0] for job in claimed]
            queue.ack_batch(claimed, "w")
    else:
        asyncio.run(work(db, way, lambda: len(ran) == jobs and queue.next_claim_at() is None))
    seconds = time.perf_counter() - began
    results = sum(queue.get_result(job_id) == (True, number) for number, job_id in enumerate(ids))
    expected = jobs if way == "results on" else 0
    if sorted(ran) != list(range(jobs)) or results != expected:
        sys.exit(f"WRONG: {way} ran {len(ran)} jobs for {jobs} and kept {results} results for {expected}")
    return seconds


async def work(db, queue, is_done):
    stop = asyncio.Event()
    workers = asyncio.ensure_future(db.run_workers(queue, CONCURRENCY, stop))
    while not is_done():
        await asyncio.sleep(0.005)
    stop.set()
    await workers


if __name__ == "__main__":
    main()
