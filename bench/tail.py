"""The slowest claims while another process commits without a pause, and the size that the log reaches.

    python bench/tail.py [--quick | --full] [--seconds S]

One process enqueues a job every 0.3 ms, one per commit. Another one claims and acks each. The figure is the time from
COMMIT to the claim, as in `wake.py`. The log must be copied into the database meanwhile. That happens in three ways:
in honker's thread; in commits, as SQLite does it with honker's limit of pages; and not at all, which shows what else
delays a claim on this machine. `--full` measures the first way for ten minutes.
"""

import sys

from support import commit_stream, program, rounds
from support.histogram import percentiles
from support.tables import tabulate

ROUNDS = {program.QUICK: 1, program.STANDARD: 3, program.FULL: 1}
TEN_MINUTES_S = 600
# Without checkpoints, the log grows by 100 MB a second.
COMPARED_S = 10


def measure(run):
    seconds = run.options.seconds or run.size(1, COMPARED_S, TEN_MINUTES_S)
    lengths = {way: min(seconds, COMPARED_S) for way in commit_stream.WAYS} | {commit_stream.THREAD: seconds}
    ways = {
        way: lambda way=way, length=length: commit_stream.measure(way, length, run.folder)
        for way, length in lengths.items()
    }
    measured = rounds.interleave(run, ways, is_warmed=False)
    rows = [row_of(way, each) for way, each in measured.items()]
    run.extra.update(seconds=seconds, ways=rows)
    show(rows)
    judge(run, {row["way"]: row for row in rows}, seconds)


def row_of(way, in_rounds):
    largest = max(each.largest_log_bytes for each in in_rounds)
    jobs_per_s = sum(len(each.claims_us) for each in in_rounds) / sum(each.seconds for each in in_rounds)
    kinds = {"claim": "claims_us", "enqueue": "enqueues_us"}
    together = {kind: [us for each in in_rounds for us in getattr(each, name)] for kind, name in kinds.items()}
    figures = {kind: percentiles(each) for kind, each in together.items()}
    return {"way": way, "jobs_per_s": jobs_per_s, "largest_log_mb": largest / 1e6, **figures}


def show(rows):
    names = ("p50_us", "p99_us", "p999_us", "max_us")
    lines = [
        [row["way"], kind, f"{row['jobs_per_s']:,.0f}", *(f"{row[kind][name]:,.0f}" for name in names), log_of(row)]
        for row in rows
        for kind in ("claim", "enqueue")
    ]
    print("\nfrom COMMIT to the claim, and the call of enqueue: microseconds")
    headers = ["checkpoints", "", "jobs/s", *(name.removesuffix("_us") for name in names), "largest log"]
    print(tabulate(lines, headers, disable_numparse=True))


def log_of(row):
    return f"{row['largest_log_mb']:,.1f} MB"


def judge(run, rows, seconds):
    own = rows[commit_stream.THREAD]
    p99_ms = {way: row["claim"]["p99_us"] / 1000 for way, row in rows.items()}
    others = "".join(f"; {way}: {p99_ms[way]:,.3g} ms" for way in (commit_stream.COMMITS, commit_stream.NONE))
    run.judge("tail", p99_ms[commit_stream.THREAD], f"over {seconds:g} s{others}")
    run.judge("tail_log", own["largest_log_mb"], f"over {seconds:g} s")


def add_arguments(parser):
    parser.add_argument("--seconds", type=float, help=f"length (default: {COMPARED_S}, with --full {TEN_MINUTES_S})")


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure, add_arguments, ROUNDS))
