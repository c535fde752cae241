"""Compute every digest again, directly, and report the differences."""

import collections
import hashlib
import os
from typing import NamedTuple

from . import store
from .walker import FILES_PER_COMMIT

VERIFIED = "verified: the digest equals one computed directly"
CHANGED = "not comparable: the file was changed after it was hashed"
GONE = "not comparable: the file cannot be read any more"
MISSING = "MISSING: the file is there, and its digest is not"
WRONG = "WRONG: the file is unchanged, and its digest differs"
REPEATED = "ACKNOWLEDGED TWICE, or never"
FAULTS = (MISSING, WRONG, REPEATED)
FAULTS_SHOWN = 10


class Casualty(NamedTuple):
    """The killed worker, with the jobs it had leased when it died."""

    worker_id: str
    pid: int
    job_ids: list[int]
    done: int


def verify(files, progress):
    """Judge every file, and return the paths of each verdict."""
    verdicts = collections.defaultdict(list)
    for row in progress(files):
        verdicts[judge(row)].append(row["path"])
    return verdicts


def judge(row):
    try:
        size, mtime_ns, digest = digest_directly(row["path"])
    except OSError:
        return GONE
    if row["digest"] is None:
        return MISSING
    if row["ack_count"] != 1:
        return REPEATED
    if digest == row["digest"]:
        return VERIFIED
    return WRONG if (size, mtime_ns) == (row["size"], row["mtime_ns"]) else CHANGED


def digest_directly(path):
    """Compute the digest without the workers' code."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        return status.st_size, status.st_mtime_ns, hashlib.file_digest(file, "sha256").hexdigest()


def show(db, files, verdicts, casualty, run_started_ns):
    """Print the report. Returns True if there is no fault."""
    handled = [row for row in files if row["done_ns"] is not None and row["done_ns"] >= run_started_ns]
    show_speed(handled, len(files) - len(handled), run_started_ns)
    show_latencies([row for row in handled if row["registered_ns"] >= run_started_ns])
    is_taken_over = show_takeover(files, casualty)
    is_complete = show_counts(db, files)
    is_right = show_verdicts(verdicts)
    return is_taken_over and is_complete and is_right


def show_speed(handled, earlier_count, run_started_ns):
    print(f"\n{'':12} {'files':>8} {'seconds':>9} {'jobs/s':>9}")
    backlog = [row for row in handled if not row["is_trickled"] and row["attempt"] == 1]
    show_rate("backlog", backlog, run_started_ns, "registered many at a time")
    explanation = "with the files that come one by one, and the wait for the dead worker's leases"
    show_rate("everything", handled, run_started_ns, explanation)
    if earlier_count:
        print(f"{'before':12} {earlier_count:>8,} {'':19}   handled by an earlier run, or not at all")


def show_rate(label, rows, run_started_ns, explanation):
    """Print the rate from the first inserted row to the last digest of this run."""
    if rows:
        began_ns = max(run_started_ns, min(row["registered_ns"] for row in rows))
        seconds = (max(row["done_ns"] for row in rows) - began_ns) / 1e9
        print(f"{label:12} {len(rows):>8,} {seconds:>9.2f} {len(rows) / seconds:>9,.0f}   {explanation}")


def show_latencies(rows):
    if not rows:
        return
    first = [row for row in rows if row["attempt"] == 1]
    print("\nlatency from just before a file's row is inserted, commit included, to the start of its handler, in ms")
    print(f"{'':12} {'files':>8} {'p50':>9} {'p99':>9}")
    together = [row for row in first if not row["is_trickled"]]
    show_latency("in a backlog", together, f"{FILES_PER_COMMIT} per commit: the time that the jobs before it take")
    alone = [row for row in first if row["is_trickled"]]
    show_latency("wake", alone, "one per commit, the backlog gone: how soon an idle worker begins")
    again = [row for row in rows if row["attempt"] > 1]
    show_latency("taken over", again, "a second attempt, after the first one's lease")


def show_latency(label, rows, explanation):
    if rows:
        spans = sorted((row["started_ns"] - row["registered_ns"]) / 1e6 for row in rows)
        p50, p99 = (spans[int(len(spans) * share)] for share in (0.50, 0.99))
        print(f"{label:12} {len(rows):>8,} {p50:>9,.2f} {p99:>9,.2f}   {explanation}")


def show_takeover(files, casualty):
    """Check that other workers took over every lease of the dead worker, as a second attempt."""
    if casualty is None:
        print("\nkilled       no worker: none was seen to hold a lease while the second half was hashed")
        return True
    inherited = {row["job_id"]: row for row in files if row["job_id"] in set(casualty.job_ids)}
    heirs = collections.Counter(row["worker_id"] for row in inherited.values())
    attempts = sorted({row["attempt"] for row in inherited.values()})
    print(
        f"\nkilled       {casualty.worker_id} (pid {casualty.pid}) with SIGKILL after {casualty.done:,} files, ", end=""
    )
    print(f"holding {len(casualty.job_ids)} leases")
    print(f"taken over   {len(inherited)} leases, by " + ", ".join(f"{name}: {n}" for name, n in sorted(heirs.items())))
    print(f"attempts     {', '.join(map(str, attempts))} for these jobs")
    is_well = len(inherited) == len(casualty.job_ids) and casualty.worker_id not in heirs and min(attempts) > 1
    if not is_well:
        print("FAULT: not every lease of the dead worker was taken over by another")
    return is_well


def show_counts(db, files):
    live, dead = store.job_counts(db)
    done = sum(row["ack_count"] for row in files)
    print(f"\njobs         live {live:,}   dead {dead:,}   done {done:,}")
    is_complete = live == 0 and dead + done == len(files)
    if not is_complete:
        print(f"FAULT: {len(files):,} files should be as many jobs, all of them dead or done")
    return is_complete


def show_verdicts(verdicts):
    for verdict, paths in sorted(verdicts.items()):
        print(f"{len(paths):>8,}     {verdict}")
        if verdict != VERIFIED:
            for path in paths[:FAULTS_SHOWN]:
                print(f"{'':15}{os.fsdecode(path)!r}")
    return not any(verdicts.get(fault) for fault in FAULTS)
