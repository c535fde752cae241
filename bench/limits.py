"""Limits over several processes: concurrency, keys and rates.

    python bench/limits.py [--quick | --full]

Concurrency: four processes that share three slots of the queue, against one process with three slots of its own.
Keys: one job at a time from 1,000 keys with one slot each, of which one has nine tenths of the jobs and stands in
front, against the same jobs without keys. Rate: the starts that four processes get within some seconds, with few and
with many jobs waiting. No target is judged; that no limit is exceeded is checked.
"""

import asyncio
import json
import multiprocessing
import sys
import time

import honker
from support import numbers, program, rounds
from support.checks import check

PROCESSES, SLOTS = 4, 3
KEYS, HOT_SHARE = 1_000, 0.9
RATE_PER_S = 100
EMPTY_CLAIMS = 3
PATIENCE_S = 300
SPAWN = multiprocessing.get_context("spawn")


def measure(run):
    concurrency(run)
    keys(run)
    rate(run)


# ---------------------------------------------------------------------------------------------------------- concurrency


def concurrency(run):
    count = run.size(300, 10_000)
    shared = f"{PROCESSES} processes, {SLOTS} slots of the queue"
    ways = {
        f"1 process, {SLOTS} slots of its own": lambda: work(run, count, processes=1, limit=None),
        shared: lambda: work(run, count, processes=PROCESSES, limit=SLOTS),
    }
    figures = rounds.interleave(run, ways)
    run.measure("limits_concurrency", "jobs that do nothing, worked by a pool: jobs/s", figures, ours=shared)


def work(run, count, *, processes, limit):
    with run.new_folder() as folder, honker.open(folder / "limits.db") as db:
        queue = db.queue("q")
        if limit is not None:
            configure(db, concurrency=limit)
        ready, begin = SPAWN.Barrier(processes + 1), SPAWN.Event()
        workers = [
            SPAWN.Process(target=worker, args=(str(folder / "limits.db"), ready, begin), daemon=True)
            for _ in range(processes)
        ]
        for each in workers:
            each.start()
        ready.wait(60)
        nothing = declare(db)
        for _ in range(count):
            nothing()
        most = 0
        began = time.perf_counter()
        begin.set()
        while (stats := queue.stats()).ready + stats.processing:
            most = max(most, stats.processing)
            if time.perf_counter() - began > PATIENCE_S:
                raise TimeoutError(f"{stats} after {PATIENCE_S} seconds")
            time.sleep(0.002)
        seconds = time.perf_counter() - began
        for each in workers:
            each.terminate()
            each.join()
        if limit is not None and most > limit:
            check(most, limit, "jobs in flight at once")
        return count / seconds


def configure(db, **settings):
    with db.transaction() as tx:
        tx.query("SELECT honker_queue_configure('q', ?)", [json.dumps(settings)])


def worker(path, ready, begin):
    """Work until the process is ended."""
    with honker.open(path) as db:
        ready.wait(60)
        begin.wait(60)
        declare(db)
        asyncio.run(honker.Worker(db.queue("q"), concurrency=SLOTS).run())


def declare(db):
    """A task that does nothing."""

    async def nothing():
        pass

    return db.queue("q").task("nothing")(nothing)


# ----------------------------------------------------------------------------------------------------------------- keys


def keys(run):
    count = run.size(2_000, 100_000)
    keyed = f"{KEYS:,} keys of one slot, one of them with {HOT_SHARE:.0%}"
    claims = {"without keys": [], keyed: []}

    def way(name, *, is_keyed):
        rate, claims_per_s = one_by_one(run, count, is_keyed=is_keyed)
        claims[name].append(claims_per_s)
        return rate

    ways = {
        "without keys": lambda: way("without keys", is_keyed=False),
        keyed: lambda: way(keyed, is_keyed=True),
    }
    figures = rounds.interleave(run, ways)
    claims = {name: seen[-len(figures[name]) :] for name, seen in claims.items()}  # without the round that warms
    run.measure("limits_keys", f"claim and ack one at a time, {count:,} waiting: jobs/s", figures, ours=keyed)
    run.measure("limits_key_claims", f"the claims alone, {count:,} waiting: claims/s", claims, ours=keyed)
    run.extra["keyed_to_plain"] = numbers.ratio(figures[keyed], figures["without keys"])["median"]
    run.extra["keyed_claims_to_plain"] = numbers.ratio(claims[keyed], claims["without keys"])["median"]


def one_by_one(run, count, *, is_keyed):
    claims = run.size(200, 3_000)
    hot = int(count * HOT_SHARE)
    with run.new_folder() as folder, honker.open(folder / "limits.db") as db:
        queue = db.queue("q")
        if is_keyed:
            configure(db, concurrency_per_key=1)
        with db.transaction() as tx:
            names = ["hot"] * hot + [f"key {number % (KEYS - 1)}" for number in range(count - hot)]
            flow = json.dumps([{"key": name} for name in names]) if is_keyed else None
            tx.query(
                "SELECT honker_enqueue_many('q', ?, NULL, NULL, 0, 3, NULL, ?)", [json.dumps([None] * count), flow]
            )
        claiming = 0.0
        began = time.perf_counter()
        for _ in range(claims):
            claim_began = time.perf_counter()
            [job] = queue.claim_batch("w", 1)
            claiming += time.perf_counter() - claim_began
            job.ack()
        seconds = time.perf_counter() - began
        if is_keyed:
            check_empty_claims(queue)
        return claims / seconds, claims / claiming


def check_empty_claims(queue):
    """Between the hot job in flight and the first job of another key no more than three claims find nothing."""
    held = queue.claim_batch("w", 2)
    empty = 0
    while not (more := queue.claim_batch("w", 1)):
        empty += 1
        if empty > EMPTY_CLAIMS:
            check(empty, EMPTY_CLAIMS, "claims that found nothing beside a hot key")
    for job in [*held, *more]:
        job.ack()


# ----------------------------------------------------------------------------------------------------------------- rate


def rate(run):
    seconds = run.size(1.0, 10.0)
    many = run.size(2_000, 100_000)
    ways = {
        f"{waiting:,} waiting": lambda waiting=waiting: starts(run, waiting, seconds)
        for waiting in (int(RATE_PER_S * seconds * 2), many)
    }
    figures = rounds.interleave(run, ways)
    text = f"starts by {PROCESSES} processes at {RATE_PER_S}/s: starts/s"
    run.measure("limits_rate", text, figures, ours=list(ways)[-1])


def starts(run, waiting, seconds):
    with run.new_folder() as folder, honker.open(folder / "limits.db") as db:
        queue = db.queue("q")
        configure(db, rate=[RATE_PER_S, 1])
        queue.enqueue_many([None] * waiting)
        ready = SPAWN.Barrier(PROCESSES + 1)
        counts = SPAWN.Queue()
        path = str(folder / "limits.db")
        starters = [
            SPAWN.Process(target=starter, args=(path, ready, counts, seconds), daemon=True) for _ in range(PROCESSES)
        ]
        for each in starters:
            each.start()
        ready.wait(60)
        total = sum(counts.get(timeout=seconds + 60) for _ in starters)
        for each in starters:
            each.join()
        allowed = RATE_PER_S * seconds + 1
        if total > allowed + 1:
            check(total, allowed, "starts")
        return total / seconds


def starter(path, ready, counts, seconds):
    """Claim for some seconds, and tell how many jobs that gave."""
    with honker.open(path) as db:
        queue = db.queue("q")
        ready.wait(60)
        end = time.monotonic() + seconds
        count = 0
        while (left := end - time.monotonic()) > 0:
            if jobs := queue.claim_batch("w", 1):
                count += 1
                jobs[0].ack()
                continue
            next_at = queue.next_claim_at()
            time.sleep(min(left, max(next_at - time.time(), 0.0005) if next_at else left))
        counts.put(count)


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
