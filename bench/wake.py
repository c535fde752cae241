"""How soon a commit is noticed by another process, what waiting for it costs, and that none is missed.

    python bench/wake.py [--quick]

Latency is measured for the default watcher, for polling every millisecond and for shm, and beside them for a bare pipe
between two processes: that is the least that this machine can do. All of them are measured in each round, in random
order, so that what slows the machine for a while slows all of them. Ratios are taken within each round; shown are the
median of the rounds, the lowest and the highest. Percentiles are those of all rounds together.

A target that is missed is reported as such. The exit code tells only whether the figures are right: it is 1 if a wake
was lost or a measurement failed.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import sqlite3
import statistics
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from support import histogram, idle, lost_wakes
from support.latency import BACKENDS, PIPE, Cell, CheckError, measure, measure_after_idle

try:
    from tqdm import tqdm
except ImportError:
    sys.exit("the benchmark shows its progress with tqdm, which is missing: pip install 'honker[demo]'")

RESULTS = Path(__file__).parent / "results"
SECTIONS = ("latency", "after-idle", "idle", "no-lost-wake")

P50_OF_POLLING = 1 / 3
P99_US = 1_000
P50_AFTER_IDLE = 1.5
IDLE_CORE_PERCENT = 0.1
IDLE_WAKEUPS_PER_S = 20

VERDICTS = {True: "reached", False: "NOT REACHED", None: "not judged"}


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    rounds: int
    gaps: dict[float, int]  # milliseconds between commits: commits in each round
    idle_rounds: int
    idle_databases: int
    churned: int
    lock_step: int  # commits that are each waited for
    broken: int  # the same, with broken events, for each way of breaking them


FULL = Sizes(
    rounds=4,
    gaps={0.3: 2_000, 5: 400, 1000: 10},
    idle_rounds=2,
    idle_databases=8,
    churned=1_000,
    lock_step=1_000_000,
    broken=10_000,
)
QUICK = Sizes(rounds=1, gaps={0.3: 50, 5: 20}, idle_rounds=1, idle_databases=1, churned=100, lock_step=600, broken=100)


# -------------------------------------------------------------------------------------------------------------- latency


def measure_latency(sizes, folder):
    """By gap, kind and way: the latencies of each round."""
    cells = [
        Cell(kind, way, gap, commits)
        for gap, commits in sizes.gaps.items()
        for way in (*BACKENDS, PIPE)
        for kind in (("wake",) if way == PIPE else ("wake", "handler"))
    ]
    rounds = {cell: [] for cell in cells}
    with tqdm(total=sizes.rounds * len(cells), unit="cell", disable=None) as bar:
        for _ in range(sizes.rounds):
            for cell in random.sample(cells, len(cells)):
                bar.set_description(f"{cell.kind} {cell.way} {cell.gap_ms:g} ms")
                rounds[cell].append(measure(cell, folder))
                bar.update()
    return rounds


def evaluate_latency(rounds, *, is_judged):
    rows = []
    for cell, measured in rounds.items():
        baseline = rounds.get(Cell(cell.kind, "polling", cell.gap_ms, cell.commits))
        after = [stamps.latencies_us(cell.warm_up) for stamps in measured]
        row = {
            "gap_ms": cell.gap_ms,
            "kind": cell.kind,
            "way": cell.way,
            **percentiles([latency for each in after for latency in each]),
            "p50_rounds_us": spread([statistics.median(each) for each in after]),
            "p50_with_commit_us": statistics.median(
                latency for stamps in measured for latency in stamps.latencies_with_commit_us(cell.warm_up)
            ),
            "bins": histogram.bins([latency for each in after for latency in each]),
            "p50_of_polling": None,
            "targets": {},
        }
        if cell.way == "default":
            pairs = zip(after, [stamps.latencies_us(cell.warm_up) for stamps in baseline], strict=True)
            row["p50_of_polling"] = spread([statistics.median(own) / statistics.median(other) for own, other in pairs])
            reached = row["p50_of_polling"]["median"] <= P50_OF_POLLING, row["p99_us"] <= P99_US
            row["targets"] = dict(zip(("p50", "p99"), reached if is_judged else (None, None), strict=True))
        rows.append(row)
    return rows


def percentiles(latencies):
    ordered = sorted(latencies)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES.items()}
    return {"count": len(ordered), **at, "max_us": ordered[-1]}


SHARES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def show_latency(rows):
    print("\nCOMMIT TO WAKE AND TO HANDLER, microseconds after COMMIT returned")
    print("  gap ms  kind     way          count     p50     p90     p99   p99.9     max  with commit   p50 by rounds")
    for row in rows:
        figures = "".join(f"{row[name]:8,.0f}" for name in ("p50_us", "p90_us", "p99_us", "p999_us", "max_us"))
        low, high = row["p50_rounds_us"]["lowest"], row["p50_rounds_us"]["highest"]
        with_commit = f"{row['p50_with_commit_us']:8,.0f}"
        print(
            f"  {row['gap_ms']:6g}  {row['kind']:8} {row['way']:9}{row['count']:9,}{figures}     {with_commit}"
            f"   {low:,.0f} - {high:,.0f}"
        )
    for row in rows:
        if row["p50_of_polling"]:
            print(
                f"  {row['gap_ms']:6g}  {row['kind']:8} p50 / polling {form(row['p50_of_polling'])}, "
                f"target <= 0.33: {VERDICTS[row['targets']['p50']]};  "
                f"p99 target <= {P99_US:,} us: {VERDICTS[row['targets']['p99']]}"
            )


def form(spread, digits=2):
    return f"{spread['median']:.{digits}f} ({spread['lowest']:.{digits}f} - {spread['highest']:.{digits}f})"


# ----------------------------------------------------------------------------------------------------------- after idle


def measure_silence(sizes, idle_s, folder):
    """The same after a long silence. Pollers wake a processor all the time, so they are measured by themselves."""
    kinds = {"default": ("wake", "handler", PIPE), "polling": ("wake", "handler"), "shm": ("wake", "handler")}
    latencies = {(way, kind): [] for way, kinds in kinds.items() for kind in kinds}
    with tqdm(total=sizes.idle_rounds * len(kinds), unit="silence", disable=None) as bar:
        for _ in range(sizes.idle_rounds):
            for way in random.sample(list(kinds), len(kinds)):
                bar.set_description(f"after idle {way}")
                count = sizes.idle_databases if way == "default" else max(1, sizes.idle_databases // 4)
                measured = measure_after_idle(way, kinds[way], count, idle_s, folder)
                for kind in kinds[way]:
                    latencies[way, kind] += measured[kind]
                bar.update()
    return latencies


def evaluate_silence(latencies, rows, *, is_judged):
    """Against the p50 at the largest gap of the same run, where it was measured."""
    result = []
    gap = max((row["gap_ms"] for row in rows), default=None)
    for (way, kind), measured in latencies.items():
        key = (gap, "wake", PIPE) if kind == PIPE else (gap, kind, way)
        baseline = [row["p50_us"] for row in rows if (row["gap_ms"], row["kind"], row["way"]) == key]
        row = {"way": way, "kind": kind, **percentiles(measured), "p50_of_largest_gap": None, "is_reached": None}
        if baseline:
            row["p50_of_largest_gap"] = row["p50_us"] / baseline[0]
            if way == "default" and kind != PIPE and is_judged:
                row["is_reached"] = row["p50_of_largest_gap"] <= P50_AFTER_IDLE
        result.append(row)
    return result


def show_silence(rows, idle_s):
    print(f"\nTHE FIRST COMMIT AFTER {idle_s:g} s OF SILENCE, microseconds")
    print("  kind     way          count     p50     p90     max   p50 / p50 at the largest gap")
    for row in rows:
        ratio = "" if row["p50_of_largest_gap"] is None else f"{row['p50_of_largest_gap']:.2f}"
        target = (
            f", target <= {P50_AFTER_IDLE}: {VERDICTS[row['is_reached']]}"
            if row["way"] == "default" and row["kind"] != PIPE
            else ""
        )
        figures = "".join(f"{row[name]:8,.0f}" for name in ("p50_us", "p90_us", "max_us"))
        way = "" if row["kind"] == PIPE else row["way"]
        print(f"  {row['kind']:8} {way:9}{row['count']:9,}{figures}   {ratio}{target}")


# ----------------------------------------------------------------------------------------------------------------- idle


def evaluate_idle(forms, churned, *, is_judged):
    for form, figures in forms.items():
        figures["targets"] = None
        if form != "asyncio polling":
            reached = (
                figures["core_percent"] < IDLE_CORE_PERCENT,
                figures["wakeups_per_s"] <= IDLE_WAKEUPS_PER_S,
            )
            figures["targets"] = dict(zip(("core", "wakeups"), reached if is_judged else (None, None), strict=True))
    return {"listeners": idle.LISTENERS, "forms": forms, "churn": churned}


def show_idle(result, idle_s, churned):
    print(f"\n{result['listeners']} LISTENERS FOR {idle_s:g} s, the whole process")
    for form, figures in result["forms"].items():
        targets = figures["targets"]
        core = f"target < {IDLE_CORE_PERCENT}: {VERDICTS[targets['core']]}" if targets else "for comparison"
        wakeups = f"target <= {IDLE_WAKEUPS_PER_S}: {VERDICTS[targets['wakeups']]}" if targets else "for comparison"
        print(
            f"  {form:16} {figures['core_percent']:7.3f} % of a core ({core}), "
            f"{figures['wakeups_per_s']:7.1f} wake-ups/s ({wakeups}), {figures['threads']} threads"
        )
    print(f"  {churned:,} subscriptions opened and closed:")
    for name, before in result["churn"]["before"].items():
        print(f"    {name:14} {before:9,} before, {result['churn']['after'][name]:9,} after")


# ----------------------------------------------------------------------------------------------------------- lost wakes


def phases(sizes):
    share = sizes.lock_step // 5
    listed = [
        lost_wakes.Phase(1, sizes.lock_step - 3 * share),
        lost_wakes.Phase(4, share),
        lost_wakes.Phase(8, 2 * share),
        lost_wakes.Phase(4, sizes.broken, lost_percent=30),
        lost_wakes.Phase(4, sizes.broken, lost_percent=100),
    ]
    if lost_wakes.can_overflow():
        listed.append(lost_wakes.Phase(4, sizes.broken, is_overflowing=True))
    return listed


def measure_lost_wakes(sizes, folder):
    results = []
    with tqdm(phases(sizes), unit="phase", disable=None) as bar:
        for phase in bar:
            bar.set_description(phase.title)
            results.append(lost_wakes.run(phase, folder))
    return results


def show_lost_wakes(results):
    total = sum(result["commits"] for result in results)
    print(f"\nNO LOST WAKE: {total:,} commits, each waited for by its writer; rollbacks, checkpoints, VACUUMs between")
    print(
        "  writers                                                   commits   seconds  consumer      p50 us   p99 us"
        "  p99.9 us   max ms  over 100 ms  lost  mode     missed"
    )
    for result in results:
        for number, each in enumerate(result["consumers"]):
            first = f"{result['title']:56}{result['commits']:11,}{result['seconds']:10.1f}" if number == 0 else " " * 77
            print(
                f"  {first}  {each['form']:9}{each['p50_us']:11,.0f}{each['p99_us']:9,.0f}{each['p999_us']:10,.0f}"
                f"{each['max_ms']:9.1f}{each['over_safety_tick']:13,}{result['commits'] - each['noticed']:6}"
                f"  {each['mode']:8}{each['missed']:7,}"
            )


# -------------------------------------------------------------------------------------------------------------- program


def machine():
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": os.getloadavg(),
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


def run(options, sizes):
    """Everything that was asked for, shown as soon as it is there; the result, and the latencies for the picture."""
    result = {"machine": machine(), "is_quick": options.quick, "rounds": sizes.rounds, "idle_s": options.idle_seconds}
    on, folder, is_judged = result["machine"], options.directory, not options.quick
    print(f"machine   {on['processor']}, {on['cores']} cores, {on['system']}, load {on['load_before'][0]:.2f}")
    print(f"software  Python {on['python']}, SQLite {on['sqlite']}, honker {on['honker']}")
    rounds, rows = {}, []
    if "latency" in options.sections:
        rounds = measure_latency(sizes, folder)
        rows = result["latency"] = evaluate_latency(rounds, is_judged=is_judged)
        show_latency(rows)
    if "after-idle" in options.sections:
        silence = measure_silence(sizes, options.idle_seconds, folder)
        result["after_idle"] = evaluate_silence(silence, rows, is_judged=is_judged)
        show_silence(result["after_idle"], options.idle_seconds)
    if "idle" in options.sections:
        forms, churned = idle.measure(options.idle_seconds, folder), idle.churn(sizes.churned, folder)
        result["idle"] = evaluate_idle(forms, churned, is_judged=is_judged)
        show_idle(result["idle"], options.idle_seconds, sizes.churned)
    if "no-lost-wake" in options.sections:
        result["no_lost_wake"] = measure_lost_wakes(sizes, folder)
        show_lost_wakes(result["no_lost_wake"])
    result["load_after"] = os.getloadavg()
    print(f"\nload      {' '.join(f'{load:.2f}' for load in result['load_after'])} at the end")
    return result, rounds


def panels(rounds):
    titled = {}
    for cell, measured in rounds.items():
        if cell.kind == "handler" or cell.way == PIPE:
            latencies = [latency for stamps in measured for latency in stamps.latencies_us(cell.warm_up)]
            titled.setdefault(f"commit to handler, {cell.gap_ms:g} ms between commits", {})[cell.way] = latencies
    return titled


def parse(arguments):
    parser = argparse.ArgumentParser(description="Measure how commits are noticed by other processes.")
    parser.add_argument("--quick", action="store_true", help="a few seconds: shows that it works, and no figures")
    parser.add_argument("--rounds", type=int, help=f"how often latency is measured (default: {FULL.rounds})")
    parser.add_argument("--idle-seconds", type=float, help="how long nothing happens (default: 60)")
    parser.add_argument("--commits", type=int, help=f"commits without a lost wake (default: {FULL.lock_step:,})")
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=SECTIONS, help="default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR", help=f"folder (default: {RESULTS})")
    parser.add_argument(
        "--directory", metavar="DIR", help="where the databases are made (default: a temporary directory)"
    )
    options = parser.parse_args(arguments)
    if options.idle_seconds is None:
        options.idle_seconds = 0.5 if options.quick else 60.0
    if any(value is not None and value < 1 for value in (options.rounds, options.commits)):
        parser.error("--rounds and --commits must be at least 1")
    return options


def main(arguments=None):
    options = parse(arguments)
    sizes = dict(vars(QUICK if options.quick else FULL))
    sizes.update(rounds=options.rounds or sizes["rounds"], lock_step=options.commits or sizes["lock_step"])
    began = time.monotonic()
    try:
        result, rounds = run(options, Sizes(**sizes))
    except CheckError as error:
        print(f"the figures would be wrong: {error}")
        return 1
    result["seconds"] = time.monotonic() - began
    options.output.mkdir(parents=True, exist_ok=True)
    target = options.output / "wake.json"
    target.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"written to {target}")
    if rounds:
        print(histogram.draw(panels(rounds), options.output / "wake.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
