"""honker on PostgreSQL, beside plain statements, Procrastinate and PgQueuer, each with the driver of its choice.

    python bench/postgres.py [--quick | --full] [--parts PART ...]

A server of its own runs in a temporary folder, on a Unix socket. Each round begins with a new database, except behind a
backlog. `synchronous_commit` is off where nothing else is said. The lower bound are plain statements through honker's
driver, on a table with honker's columns and indexes: INSERT, COPY, an UPDATE of the first due row, DELETE.
"""

import contextlib
import sys
import time

import psycopg
from support import numbers, program, rounds
from support.checks import check
from support.postgres import OURS, PGQUEUER, PLAIN, PROCRASTINATE, start, start_server

BATCH, BULK, SLOTS = 100, 1_000, 32
ROUNDS = {program.QUICK: 1, program.STANDARD: 3, program.FULL: 9}
PROCESSES = (1, 2, 4, 8)


def measure(run):
    with start_server() as databases:
        for name in run.options.parts or PARTS:
            PARTS[name](run, databases)


# -------------------------------------------------------------------------------------------------------------- enqueue


def enqueue(run, databases):
    """One per commit, with commits that wait for the disk and with those that do not; then a thousand in one call."""
    limits = run.size((50, 0.2), (3_000, 1.5))
    with start(run, databases) as sides:
        for waits_for_disk in (False, True):
            new = opened(databases, waits_for_disk=waits_for_disk)
            figures = rounds.interleave(run, {name: put(side, new, limits) for name, side in sides.items()})
            commit = "on" if waits_for_disk else "off"
            run.measure(
                f"pg_enqueue_{commit}", f"enqueue, one per commit, synchronous_commit {commit}: jobs/s", figures
            )
            if not waits_for_disk:
                run.extra["enqueue_of_insert"] = numbers.ratio(figures[OURS], figures[PLAIN])["median"]
        calls = run.size(2, 10)
        figures = rounds.interleave(run, {name: bulk(side, opened(databases), calls) for name, side in sides.items()})
        run.measure("pg_bulk", f"enqueue {BULK:,} in one call (plain: COPY): jobs/s", figures)


def put(side, new, limits):
    def measure_once():
        with new(side):
            done, seconds = side.enqueue(count=limits[0], seconds=limits[1])
            check(side.count(), done + 1, f"jobs that {side.name} has enqueued, one to warm up included")
        return done / seconds

    return measure_once


def bulk(side, new, calls):
    def measure_once():
        with new(side):
            side.bulk(count=BULK)
            seconds = sum(side.bulk(count=BULK) for _ in range(calls))
            check(side.count(), BULK * (calls + 1), f"jobs that {side.name} has enqueued in bulk")
        return calls * BULK / seconds

    return measure_once


def opened(databases, **options):
    """A context in which a side has a new database."""

    @contextlib.contextmanager
    def new(side):
        with databases.new(**options) as url:
            side.open(path=url)
            yield url
            side.close()

    return new


# -------------------------------------------------------------------------------------------------------------- backlog


def backlog(run, databases):
    """Claim and ack, one at a time and in batches, in a queue with many waiting and many more delayed jobs."""
    waiting, delayed = run.size((2_000, 2_000), (100_000, 1_000_000))
    # The peers need up to seconds for a job here.
    limits, peer_limits = run.size((50, 0.5), (2_000, 2.0)), run.size((20, 0.5), (2_000, 5.0))
    with contextlib.ExitStack() as stack:
        sides = stack.enter_context(start(run, databases))
        new = opened(databases)
        for side in sides.values():
            stack.enter_context(new(side))
            side.fill(waiting=waiting, delayed=delayed)
        mine = (OURS, PLAIN)
        ones = {name: claim(side, limits if name in mine else peer_limits) for name, side in sides.items()}
        rows = f"{waiting:,} waiting and {delayed:,} delayed"
        run.measure("pg_claim", f"claim and ack one at a time, {rows}: jobs/s", rounds.interleave(run, ones))
        batches = run.size(2, 30)
        ways = {OURS: in_batches(sides[OURS], batches * BATCH)}
        if PGQUEUER in sides:
            ways[PGQUEUER] = in_batches(sides[PGQUEUER], BATCH * run.size(1, 3))
        run.measure("pg_batch", f"claim and ack in batches of {BATCH}, {rows}: jobs/s", rounds.interleave(run, ways))


def claim(side, limits):
    def measure_once():
        before = side.count()
        done, seconds = side.claim(count=limits[0], seconds=limits[1])
        check(side.count(), before - done, f"jobs that {side.name} has left")
        return done / seconds

    return measure_once


def in_batches(side, count):
    def measure_once():
        before = side.count()
        seconds = side.claim_in_batches(count=count, size=BATCH)
        check(side.count(), before - count, f"jobs that {side.name} has left")
        return count / seconds

    return measure_once


# --------------------------------------------------------------------------------------------------------------- worker


def worker(run, databases):
    """No-op tasks through the worker of each queue. Some handle some hundred jobs a second, and get fewer."""
    counts = {OURS: run.size(200, 5_000), PGQUEUER: run.size(200, 3_000), PROCRASTINATE: run.size(100, 300)}
    with start(run, databases, *counts) as sides:
        ways = {name: work(side, opened(databases), counts[name]) for name, side in sides.items()}
        run.measure("pg_worker", f"worker, {SLOTS} slots, no-op tasks: jobs/s", rounds.interleave(run, ways))


def work(side, new, count):
    def measure_once():
        with new(side):
            seconds = side.work(count=count, concurrency=SLOTS, keeps_results=False)
        return count / seconds

    return measure_once


def wake(run, databases):
    """From the return of an enqueue in one process to the handler of another one that waits."""
    count = run.size(20, 200)
    with start(run, databases, OURS) as first, start(run, databases, OURS) as second, databases.new() as url:
        waiter, writer = first[OURS], second[OURS]
        waiter.open(path=url)
        writer.open(path=url)
        waiter.ask("wait_for_jobs", count=count)
        committed = writer.put_with_gaps(count=count, gap_s=0.02)
        seen = waiter.answer()
        waits_ms = [(there - here) / 1e6 for here, there in zip(committed, seen, strict=True)][1:]
        title = "from the return of an enqueue to the handler in another process that waits: ms"
        run.measure("pg_wake", title, {OURS: waits_ms}, "ms")
        waiter.close()
        writer.close()


# -------------------------------------------------------------------------------------------------------------- growth


def growth(run, databases):
    """Claims of one against the backlog, with and without a transaction that stays open and holds dead rows back.

    Each backlog has a database of its own, and all are measured in the same rounds. Before that, batches of jobs pass
    through those with an open transaction, with --full for ten minutes.
    """
    limits = run.size((50, 0.5), (2_000, 2.0))
    ways, churned, passed = {}, [], 0
    with contextlib.ExitStack() as stack:
        for size in run.size((100, 1_000), (100, 10_000, 100_000), (100, 10_000, 100_000, 1_000_000)):
            for is_held in (False, True):
                side = stack.enter_context(start(run, databases, OURS))[OURS]
                url = stack.enter_context(opened(databases)(side))
                side.fill(waiting=size, delayed=size)
                ways[backlog_title(size, is_held)] = refilled(side, limits)
                if is_held:
                    stack.enter_context(held(url))
                    churned.append(side)
        end = time.monotonic() + run.size(0, 10, 600)
        while time.monotonic() < end:
            for side in churned:
                side.bulk(count=BULK)
                side.claim_in_batches(count=BULK, size=BATCH)
            passed += BULK
        figures = rounds.interleave(run, ways)
    smallest = backlog_title(100, False)
    title = f"claim and ack one, as many waiting as delayed, {passed:,} passed while a transaction was open: jobs/s"
    run.measure("pg_growth", title, figures, ours=smallest)
    run.extra["growth"] = {
        name: numbers.ratio(figures[smallest], figures[name]) for name in figures if name != smallest
    }


def backlog_title(size, is_held):
    return f"{size:,} and {size:,}{', a transaction held open' if is_held else ''}"


def refilled(side, limits):
    def measure_once():
        done = spent = 0
        while done < limits[0] and spent < limits[1]:
            part, seconds = side.claim(count=50)
            side.bulk(count=part)
            done, spent = done + part, spent + seconds
        return done / spent

    return measure_once


@contextlib.contextmanager
def held(url):
    """A transaction that sees the rows as they are now, until the end of the block."""
    with psycopg.connect(url) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        conn.execute("SELECT count(*) FROM honker.meta")
        yield


def processes(run, databases):
    """Several processes enqueue, claim and ack on one queue."""
    counts = run.size((1, 2), PROCESSES)
    share = run.size(60, 2_000)
    with contextlib.ExitStack() as stack:
        teams = [stack.enter_context(start(run, databases, OURS))[OURS] for _ in range(counts[-1])]
        ways = {f"{OURS}, {count} processes": mixed(databases, teams[:count], share) for count in counts}
        title = "enqueue, claim and ack by several processes: jobs/s of all"
        run.measure("pg_processes", title, rounds.interleave(run, ways), ours=f"{OURS}, {counts[-1]} processes")


def mixed(databases, team, share):
    """Jobs per second from the first request to the last answer; each job is handed out once."""
    each = share // len(team)

    def measure_once():
        with databases.new() as url:
            for side in team:
                side.open(path=url)
            began = time.perf_counter()
            for number, side in enumerate(team):
                side.ask("mix", first=number * each, count=each)
            seen = sorted(order for side in team for order in side.answer()[1])
            seconds = time.perf_counter() - began
            check(seen, list(range(each * len(team))), "jobs that were handed out")
            for side in team:
                side.close()
        return each * len(team) / seconds

    return measure_once


PARTS = {each.__name__: each for each in (enqueue, backlog, worker, wake, growth, processes)}


def add_arguments(parser):
    parser.add_argument("--parts", nargs="+", choices=PARTS, metavar="PART", help=f"only these of {', '.join(PARTS)}")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, add_arguments, rounds=ROUNDS))
