"""How fast jobs are enqueued and claimed, as ratios within one run.

    python bench/enqueue_claim.py [--quick]

Absolute figures differ from run to run and from machine to machine. So whatever is compared is measured in one run, in
rounds, in each of which everything is measured once, in random order: what slows the machine for a while slows both
sides. A ratio is taken within each round; shown are the median of the rounds, the lowest and the highest.

Each measurement checks what it did, by counting rows, and a wrong count ends the run. A target that is missed is
reported as such; the exit code tells only whether the figures are right.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import honker

try:
    from tqdm import tqdm
except ImportError:
    sys.exit("the benchmark shows its progress with tqdm, which is missing: pip install 'honker[demo]'")

RESULTS = Path(__file__).parent / "results" / "enqueue_claim.json"
QUEUE = "bench"
WORKER = "worker-1"
PAYLOAD = {"to": "alice@example.com", "order": 4711}
A_DAY_S = 86_400


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    rounds: int
    commits: int  # jobs enqueued one per commit
    bulk: int  # jobs enqueued in one transaction
    claims: int  # jobs claimed and acked one at a time
    batches: int  # batches of BATCH jobs claimed and acked
    waiting: int  # jobs that wait behind ...
    delayed: int  # ... so many delayed ones of higher priority
    in_flight: int  # jobs leased to other workers, in the largest backlog


FULL = Sizes(
    rounds=9,
    commits=5_000,
    bulk=10_000,
    claims=3_000,
    batches=100,
    waiting=100_000,
    delayed=1_000_000,
    in_flight=100_000,
)
QUICK = Sizes(rounds=2, commits=100, bulk=200, claims=100, batches=3, waiting=1_000, delayed=2_000, in_flight=500)

BATCH = 100
FEW = 100  # what "100 waiting" means
MANY_PRIORITIES = 10


class CheckError(Exception):
    """A measurement did not do what it says."""


def check(seen, expected, what):
    if seen != expected:
        raise CheckError(f"{what}: {seen!r} instead of {expected!r}")


# ------------------------------------------------------------------------------------------------------------ databases


@contextlib.contextmanager
def new_database(folder):
    """An empty database with honker in it, deleted afterwards."""
    with tempfile.TemporaryDirectory(dir=folder) as inner, honker.open(Path(inner) / "bench.db") as db:
        yield db


# Whatever a connection can be set to that could make a difference.
SETTINGS = (
    "synchronous",
    "foreign_keys",
    "cache_size",
    "temp_store",
    "wal_autocheckpoint",
    "busy_timeout",
    "mmap_size",
    "journal_size_limit",
)


@contextlib.contextmanager
def plain_connection(db):
    """A connection of the `sqlite3` module in autocommit mode, with the settings of honker's own and without honker."""
    with contextlib.closing(sqlite3.connect(db.path, isolation_level=None)) as conn:
        with db.transaction() as tx:
            for setting in SETTINGS:
                for row in tx.query(f"PRAGMA {setting}"):
                    (value,) = row.values()
                    conn.execute(f"PRAGMA {setting} = {value}").fetchall()
        check(conn.execute("PRAGMA journal_mode").fetchone(), ("wal",), "journal mode")
        yield conn


INSERTED = ("queue", "payload", "priority", "run_at", "max_attempts", "expires_at", "created_at")
INSERT = f"INSERT INTO _honker_live ({', '.join(INSERTED)}) VALUES ({', '.join('?' * len(INSERTED))})"


def row_to_insert(db):
    """The row that `enqueue` makes, taken from one that it made, so that both sides write the same."""
    job_id = db.queue(QUEUE).enqueue(PAYLOAD)
    row = db.query(f"SELECT {', '.join(INSERTED)} FROM _honker_live WHERE id = ?", (job_id,))[0]
    db.cancel(job_id)
    return tuple(row.values())


def job_count(db, condition="1"):
    return db.query(f"SELECT count(*) AS n FROM _honker_live WHERE queue = ? AND {condition}", (QUEUE,))[0]["n"]


def checkpoint(db):
    """Begin with an empty log, so that no measurement pays for what another one wrote."""
    with plain_connection(db) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


# --------------------------------------------------------------------------------------------------- what is measured:
# each function does its work once and returns jobs per second. Everything that enqueues does so in a new database.


def enqueue_per_commit(folder, sizes):
    with new_database(folder) as db:
        queue = db.queue(QUEUE)
        row_to_insert(db)  # not needed here, but the other side has done it
        began = time.perf_counter()
        for _ in range(sizes.commits):
            queue.enqueue(PAYLOAD)
        seconds = time.perf_counter() - began
        check(job_count(db), sizes.commits, "jobs enqueued")
        return sizes.commits / seconds


def insert_per_commit(folder, sizes):
    with new_database(folder) as db, plain_connection(db) as conn:
        row = row_to_insert(db)
        began = time.perf_counter()
        for _ in range(sizes.commits):
            conn.execute(INSERT, row)
        seconds = time.perf_counter() - began
        check(job_count(db), sizes.commits, "rows inserted")
        return sizes.commits / seconds


def enqueue_in_transaction(folder, sizes):
    with new_database(folder) as db:
        queue = db.queue(QUEUE)
        row_to_insert(db)
        began = time.perf_counter()
        with db.transaction() as tx:
            for _ in range(sizes.bulk):
                queue.enqueue(PAYLOAD, tx=tx)
        seconds = time.perf_counter() - began
        check(job_count(db), sizes.bulk, "jobs enqueued")
        return sizes.bulk / seconds


def enqueue_in_one_call(folder, sizes):
    with new_database(folder) as db:
        queue = db.queue(QUEUE)
        row_to_insert(db)
        jobs = [PAYLOAD] * sizes.bulk
        began = time.perf_counter()
        queue.enqueue_many(jobs)
        seconds = time.perf_counter() - began
        check(job_count(db), sizes.bulk, "jobs enqueued")
        return sizes.bulk / seconds


def insert_in_transaction(folder, sizes):
    with new_database(folder) as db, plain_connection(db) as conn:
        rows = [row_to_insert(db)] * sizes.bulk
        began = time.perf_counter()
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(INSERT, rows)
        conn.execute("COMMIT")
        seconds = time.perf_counter() - began
        check(job_count(db), sizes.bulk, "rows inserted")
        return sizes.bulk / seconds


def claim_few(db, sizes):
    """One at a time, from a queue in which 100 jobs wait, and fewer while it is emptied; then it is filled again."""
    queue, seconds = db.queue(QUEUE), 0.0
    for done in range(0, sizes.claims, FEW):
        fill(db, min(FEW, sizes.claims - done))
        if done == 0:
            checkpoint(db)
        began = time.perf_counter()
        claim_one_by_one(queue, min(FEW, sizes.claims - done))
        seconds += time.perf_counter() - began
    check(job_count(db), 0, "jobs left")
    return sizes.claims / seconds


def claim_from_backlog(db, sizes):
    """One at a time, from a queue with a backlog, which hardly shrinks."""
    queue = db.queue(QUEUE)
    before = job_count(db, "priority = 0"), job_count(db, "priority > 0")
    checkpoint(db)
    began = time.perf_counter()
    claim_one_by_one(queue, sizes.claims)
    seconds = time.perf_counter() - began
    after = job_count(db, "priority = 0"), job_count(db, "priority > 0")
    check(after, (before[0] - sizes.claims, before[1]), "jobs left, due and delayed")
    return sizes.claims / seconds


def claim_one_by_one(queue, count):
    for _ in range(count):
        job = queue.claim_one(WORKER)
        if job is None or not job.ack():
            raise CheckError(f"{job} could not be claimed and acked")


def claim_in_batches(db, sizes):
    queue = db.queue(QUEUE)
    fill(db, sizes.batches * BATCH)
    checkpoint(db)
    began = time.perf_counter()
    for _ in range(sizes.batches):
        check(queue.ack_batch(queue.claim_batch(WORKER, BATCH), WORKER), BATCH, "jobs of a batch acked")
    seconds = time.perf_counter() - began
    check(job_count(db), 0, "jobs left")
    return sizes.batches * BATCH / seconds


# ------------------------------------------------------------------------------------------------------------- backlogs


def fill(db, count):
    queue = db.queue(QUEUE)
    with db.transaction() as tx:
        for _ in range(count):
            queue.enqueue(PAYLOAD, tx=tx)


NUMBERS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)"

# Due one second after the other, so that the ready index has no long run of equal keys; all of it in the past.
FILL_WAITING = f"""
INSERT INTO _honker_live (queue, payload, run_at) {NUMBERS} SELECT ?1, ?3, unixepoch() - 1 - ?2 + n FROM numbers
"""
FILL_DELAYED = f"""
INSERT INTO _honker_live (queue, payload, priority, run_at)
{NUMBERS} SELECT ?1, ?3, 1 + n % ?4, unixepoch() + {A_DAY_S} + n FROM numbers
"""
FILL_IN_FLIGHT = f"""
INSERT INTO _honker_live (queue, payload, priority, state, worker_id, attempts, claim_expires_at)
{NUMBERS} SELECT ?1, ?3, 1, 'processing', 'somebody', 1, unixepoch() + {A_DAY_S} + n FROM numbers
"""


def build_backlog(db, *, waiting, delayed, priorities=1, in_flight=0):
    """By plain SQL, which is faster than to enqueue and claim it all. `priorities`: how many the delayed jobs have."""
    text = json.dumps(PAYLOAD)
    with plain_connection(db) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("BEGIN IMMEDIATE")
        conn.execute(FILL_DELAYED, (QUEUE, delayed, text, priorities))
        conn.execute(FILL_WAITING, (QUEUE, waiting, text))
        if in_flight:
            conn.execute(FILL_IN_FLIGHT, (QUEUE, in_flight, text))
        conn.execute("COMMIT")
    check(job_count(db), waiting + delayed + in_flight, "jobs in the backlog")
    checkpoint(db)


# -------------------------------------------------------------------------------------------------------------- figures


@dataclass(frozen=True)
class Figure:
    """A line of the table: what was measured, against what, and what was hoped for."""

    key: str
    title: str
    side: str
    baseline: str | None
    target: float


def figures(sizes):
    waiting, delayed = f"{sizes.waiting:,} waiting", f"{sizes.delayed:,} delayed of a higher priority"
    largest = (
        f"{sizes.delayed:,} delayed of {MANY_PRIORITIES} higher priorities + {sizes.delayed:,} waiting "
        f"+ {sizes.in_flight:,} in flight"
    )
    return (
        Figure(
            "enqueue_per_commit",
            "one enqueue per commit / plain INSERT per commit",
            "enqueue_per_commit",
            "insert_per_commit",
            0.8,
        ),
        Figure(
            "enqueue_in_transaction",
            f"enqueue {sizes.bulk:,} inside one transaction / executemany",
            "enqueue_in_transaction",
            "insert_in_transaction",
            0.6,
        ),
        Figure(
            "enqueue_in_one_call",
            f"enqueue {sizes.bulk:,} in one call / executemany",
            "enqueue_in_one_call",
            "insert_in_transaction",
            0.8,
        ),
        Figure(
            "claim_delayed", f"claim + ack, {delayed} + {waiting} / {FEW} waiting", "claim_delayed", "claim_few", 0.8
        ),
        Figure("claim_largest", f"claim + ack, {largest} / {FEW} waiting", "claim_largest", "claim_few", 0.8),
        Figure("claim_one", f"claim + ack one at a time, {FEW} waiting", "claim_few", None, 10_000),
        Figure("claim_batch", f"claim + ack in batches of {BATCH}", "claim_batch", None, 100_000),
    )


def measure(sizes, folder):
    """The rates of each side, one a round."""
    with contextlib.ExitStack() as stack:
        few, batch, delayed, largest = (stack.enter_context(new_database(folder)) for _ in range(4))
        sides: dict[str, Callable[[], float]] = {
            "enqueue_per_commit": lambda: enqueue_per_commit(folder, sizes),
            "insert_per_commit": lambda: insert_per_commit(folder, sizes),
            "enqueue_in_transaction": lambda: enqueue_in_transaction(folder, sizes),
            "enqueue_in_one_call": lambda: enqueue_in_one_call(folder, sizes),
            "insert_in_transaction": lambda: insert_in_transaction(folder, sizes),
            "claim_few": lambda: claim_few(few, sizes),
            "claim_delayed": lambda: claim_from_backlog(delayed, sizes),
            "claim_largest": lambda: claim_from_backlog(largest, sizes),
            "claim_batch": lambda: claim_in_batches(batch, sizes),
        }
        rates = {side: [] for side in sides}
        steps = 2 + (1 + sizes.rounds) * len(sides)
        with tqdm(total=steps, unit="step", desc="build", disable=None) as bar:
            build_backlog(delayed, waiting=sizes.waiting, delayed=sizes.delayed)
            bar.update()
            build_backlog(
                largest,
                waiting=sizes.delayed,
                delayed=sizes.delayed,
                priorities=MANY_PRIORITIES,
                in_flight=sizes.in_flight,
            )
            bar.update()
            for number in range(1 + sizes.rounds):
                for side in random.sample(list(sides), len(sides)):
                    bar.set_description(side)
                    rate = sides[side]()
                    if number > 0:  # the first round warms the caches
                        rates[side].append(rate)
                    bar.update()
    return rates


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def evaluate(figure, rates, *, is_judged):
    """A figure with its numbers; a ratio is taken within each round."""
    rate = spread(rates[figure.side])
    baseline = ratio = None
    if figure.baseline is not None:
        baseline = spread(rates[figure.baseline])
        ratio = spread([a / b for a, b in zip(rates[figure.side], rates[figure.baseline], strict=True)])
    judged = rate if ratio is None else ratio
    return {
        "key": figure.key,
        "title": figure.title,
        "jobs_per_s": rate,
        "baseline_per_s": baseline,
        "ratio": ratio,
        "target": figure.target,
        "is_reached": judged["median"] >= figure.target if is_judged else None,
    }


def machine():
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "honker": metadata.version("honker"),
    }


def processor():
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


# --------------------------------------------------------------------------------------------------------------- output


def show(result):
    on = result["machine"]
    print(f"\nmachine   {on['processor']}, {on['cores']} cores, {on['system']}, load before {on['load_before']:.2f}")
    print(f"software  Python {on['python']}, SQLite {on['sqlite']}, honker {on['honker']}")
    print(f"rounds    {result['rounds']}, interleaved; median (lowest - highest)")
    for figure in result["figures"]:
        print(f"\n{figure['title']}")
        print(f"  jobs/s     {numbers(figure['jobs_per_s'], ',.0f')}")
        if figure["ratio"] is not None:
            print(f"  baseline   {numbers(figure['baseline_per_s'], ',.0f')}")
            print(f"  ratio      {numbers(figure['ratio'], '.2f')}")
        print(f"  target     {figure['target']:>11,}   {VERDICTS[figure['is_reached']]}")


VERDICTS = {True: "reached", False: "NOT REACHED", None: "not judged: --quick is too short"}


def numbers(spread, form):
    return f"{spread['median']:>11{form}}   ({spread['lowest']:{form}} - {spread['highest']:{form}})"


def parse(arguments):
    parser = argparse.ArgumentParser(
        description="Measure enqueue and claim, against plain sqlite3 and against a small queue."
    )
    parser.add_argument("--quick", action="store_true", help="a few seconds: shows that it works, and no figures")
    parser.add_argument("--rounds", type=int, help=f"how often everything is measured (default: {FULL.rounds})")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="PATH", help=f"JSON file (default: {RESULTS})")
    parser.add_argument(
        "--directory", metavar="DIR", help="where the databases are made (default: a temporary directory)"
    )
    options = parser.parse_args(arguments)
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}; it must be at least 1")
    return options


def main(arguments=None):
    options = parse(arguments)
    sizes = QUICK if options.quick else FULL
    if options.rounds:
        sizes = dataclasses.replace(sizes, rounds=options.rounds)
    result = {"machine": machine(), "is_quick": options.quick, "rounds": sizes.rounds}
    try:
        rates = measure(sizes, options.directory)
    except CheckError as error:
        print(f"the figures would be wrong: {error}")
        return 1
    result["figures"] = [evaluate(figure, rates, is_judged=not options.quick) for figure in figures(sizes)]
    show(result)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
