"""The time from a commit until another process notices it, compared with polling and other queues; and lost wakes.

    python bench/wake.py [--quick | --full] [--sections ...]

Latency is measured for the default watcher, for polling every millisecond, and for a bare pipe between two processes,
which is the lower bound of this machine. "Wake" is the moment when the code that waits for commits runs; the targets
are about this one. "Listener" is the moment when a listener gets the notification, after a read. "Claim" is the moment
when a worker gets the job, after a write transaction. The figure is the time since COMMIT returned. It may be negative,
because a commit is visible to others before it returns. Percentiles are those of all rounds together.

Peers: one job at a time goes to a process that waits in the way of its queue, honker included.
"""

import random
import statistics
import sys
from dataclasses import asdict

from support import floor, lost_wakes, numbers, program, rounds
from support.checks import CheckError, SideError
from support.histogram import bins, percentiles
from support.latency import BACKENDS, PIPE, Cell, measure as measure_cell, measure_after_idle
from support.sides import OURS, start
from support.tables import tabulate

ROUNDS = {program.QUICK: 1, program.STANDARD: 2, program.FULL: 4}
A_MINUTE_S = 60
# Commits as fast as one process handles them, and commits with enough time between them to fall asleep.
BUSY_MS, IDLE_MS = 0.3, 50
SECTIONS = ("latency", "peers", "silence", "no-lost-wake")


def measure(run):
    sections = {"latency": latency, "peers": peers, "silence": silence, "no-lost-wake": no_lost_wake}
    for name in run.options.sections:
        sections[name](run)


# -------------------------------------------------------------------------------------------------------------- latency


def latency(run):
    # Milliseconds between commits: commits in each round.
    full = {BUSY_MS: 2_000, 5: 500, IDLE_MS: 200, 1000: 10}
    gaps = run.size({BUSY_MS: 50, IDLE_MS: 10}, {BUSY_MS: 1_000, IDLE_MS: 60}, full)
    ways = run.size(("default", "polling"), ("default", "polling"), tuple(BACKENDS))
    kinds = run.size(("wake",), ("wake", "listener", "claim"))
    cells = [Cell(kind, way, gap, commits) for gap, commits in gaps.items() for way in ways for kind in kinds]
    cells += [Cell("wake", PIPE, gap, commits) for gap, commits in gaps.items()]
    by_title = {f"{cell.kind} {cell.way} {cell.gap_ms:g} ms": cell for cell in cells}
    measured = rounds.interleave(
        run,
        {title: lambda cell=cell: measure_cell(cell, run.folder) for title, cell in by_title.items()},
        is_warmed=False,
    )
    in_rounds = {by_title[title]: latencies(by_title[title], each) for title, each in measured.items()}
    rows = [row_of(cell, each) for cell, each in in_rounds.items()]
    run.extra["latency"] = rows
    show(rows, "after COMMIT returned, microseconds")
    for name, gap in (("busy", BUSY_MS), ("idle", IDLE_MS)):
        judge_latency(run, name, gap, {cell: each for cell, each in in_rounds.items() if cell.gap_ms == gap})


def latencies(cell, measured):
    return [stamps.latencies_us(cell.warm_up) for stamps in measured]


def row_of(cell, in_rounds):
    together = [each for one in in_rounds for each in one]
    return {**asdict(cell), **percentiles(together), "bins": bins(together)}


def judge_latency(run, name, gap, cells):
    """Judge the wake; the notes give the listener and the claim."""
    by_way = {(cell.kind, cell.way): each for cell, each in cells.items()}
    followed = [kind for kind in ("listener", "claim") if (kind, "polling") in by_way]
    note = f"a commit every {gap:g} ms"
    ratios = "".join(f"; to {kind}: {of_polling(by_way, kind):.2f}" for kind in followed)
    run.judge(f"wake_{name}", of_polling(by_way, "wake"), note + ratios)
    latencies_ms = "".join(f"; to {kind}: {p99_ms(by_way, kind):.2f} ms" for kind in followed)
    run.judge(f"wake_{name}_p99", p99_ms(by_way, "wake"), note + latencies_ms)


def p99_ms(by_way, kind):
    return percentiles([each for one in by_way[kind, "default"] for each in one])["p99_us"] / 1000


def of_polling(by_way, kind):
    own, polling = ([statistics.median(each) for each in by_way[kind, way]] for way in ("default", "polling"))
    return numbers.ratio(own, polling)["median"]


def show(rows, title):
    names = ("count", "p50_us", "p90_us", "p99_us", "p999_us", "max_us")
    lines = [
        [f"{row['gap_ms']:g} ms", row["kind"], row["way"], *(f"{row[name]:,.0f}" for name in names)] for row in rows
    ]
    print(f"\n{title}")
    print(tabulate(lines, ["gap", "", "", *(name.removesuffix("_us") for name in names)], disable_numparse=True))


# ---------------------------------------------------------------------------------------------------------------- peers


def peers(run):
    """From the commit of one process to the handler in another, with each queue's way of waiting."""
    count, gap_s = run.size((3, 0.05), (8, 0.5), (20, 1.0))
    with start(run, OURS, "huey", "huey tuned", "reference") as waiters, start(run, *waiters) as writers:
        seen = {name: [] for name in waiters}
        with run.progress(len(waiters)) as bar:
            for name in random.sample(list(waiters), len(waiters)):
                bar.set_description(name)
                try:
                    seen[name] = wait_and_write(run, waiters[name], writers[name], count, gap_s)
                except SideError as error:
                    if not error.is_peer:
                        raise CheckError(str(error)) from error
                    run.leave_out(name, str(error))
                bar.update()
    run.measure("wake_peers", f"commit to handler, a job every {gap_s:g} s: milliseconds", seen, "ms")


def wait_and_write(run, waiter, writer, count, gap_s):
    with run.new_folder() as folder:
        path = floor.open_new(waiter, folder)
        writer.open(path=path)
        waiter.ask("wait_for_jobs", count=count)
        committed = writer.put_with_gaps(count=count, gap_s=gap_s)
        handled = waiter.answer()
        for side in (waiter, writer):
            side.close()
    return [(after - before) / 1e6 for before, after in zip(committed, handled, strict=True)]


# -------------------------------------------------------------------------------------------------------------- silence


def silence(run):
    """The first commit after a long silence. Pollers keep a processor awake, so they are measured separately."""
    seconds = run.options.idle_seconds or run.size(0.5, 10, A_MINUTE_S)
    kinds = {"default": ("wake", "claim", PIPE)}
    if run.mode == program.FULL:
        kinds["polling"] = ("wake", "claim")
    count = run.size(1, 8)
    rows = []
    with run.progress(len(kinds), "silence") as bar:
        for way in random.sample(list(kinds), len(kinds)):
            bar.set_description(f"after {seconds:g} s of silence, {way}")
            for kind, each in measure_after_idle(way, kinds[way], count, seconds, run.folder).items():
                rows.append({"gap_ms": seconds * 1000, "kind": kind, "way": way, **percentiles(each)})
            bar.update()
    run.extra["silence"] = rows
    show(rows, f"the first commit after {seconds:g} s of silence, microseconds")
    judge_silence(run, rows, seconds)


def judge_silence(run, rows, seconds):
    """Compare with the p50 of the same run without a long silence, if it was measured."""
    after = {row["kind"]: row["p50_us"] for row in rows if row["way"] == "default"}
    before = {
        row["kind"]: row["p50_us"]
        for row in run.extra.get("latency", ())
        if (row["way"], row["gap_ms"]) == ("default", IDLE_MS)
    }
    if "wake" in before:
        claim = f"; to claim: {after['claim'] / before['claim']:.2f}" if "claim" in before else ""
        figure, is_full_scale = after["wake"] / before["wake"], seconds >= A_MINUTE_S
        run.judge("wake_silence", figure, f"after {seconds:g} s{claim}", is_full_scale=is_full_scale)


# --------------------------------------------------------------------------------------------------------- no lost wake


def no_lost_wake(run):
    commits = run.options.commits or run.size(300, 20_000, 1_000_000)
    broken = run.size(60, 1_000, 10_000)
    phases, results = lost_wakes.phases(commits, broken), []
    if run.mode == program.QUICK:
        phases = [phases[0], phases[-1]]  # each starts several processes, which takes longer than the commits
    with run.progress(len(phases), "phase") as bar:
        for phase in phases:
            bar.set_description(phase.title)
            results.append(lost_wakes.run(phase, run.folder))
            bar.update()
    run.extra["no_lost_wake"] = results
    show_lost(results)
    lost = sum(result["commits"] - each["noticed"] for result in results for each in result["consumers"])
    total = sum(result["commits"] for result in results)
    run.judge("no_lost_wake", lost, f"of {total:,}; the writer waits for each")


def show_lost(results):
    columns = ("p50_us", "p99_us", "p999_us", "max_ms", "over_safety_tick", "mode", "missed")
    lines = []
    for result in results:
        for each in result["consumers"]:
            lost = result["commits"] - each["noticed"]
            lines.append([result["title"], each["form"], result["commits"], lost, *(each[name] for name in columns)])
    print("\nwakes, with rollbacks, checkpoints and VACUUMs between the commits")
    print(tabulate(lines, ["", "", "commits", "lost", *columns], floatfmt=",.0f", intfmt=","))


def add_arguments(parser):
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="default: all")
    parser.add_argument("--idle-seconds", type=float, help="seconds of silence (default: 10, with --full 60)")
    parser.add_argument(
        "--commits", type=int, help="commits to check for lost wakes (default: 20,000; 1,000,000 if --full)"
    )


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, add_arguments, ROUNDS))
