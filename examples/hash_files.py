"""The demo: hash the files of a directory, and lose nothing when a worker is killed.

    python examples/hash_files.py [DIR]

One process walks the directory. For each file it inserts a row and enqueues a job in one transaction. Two worker
processes hash the files, and write digest and ack in one transaction. Half-way the demo kills one worker, and others
take over its leases. At the end every digest is compared with one computed directly.

The parts are in `hashing/`; read `hashing/worker.py` first.
"""

import argparse
import contextlib
import hashlib
import os
import sqlite3
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

import honker
from hashing import report, store
from hashing.crew import Crew, DemoError
from hashing.patience import patiently

try:
    from tqdm import tqdm
except ImportError:
    sys.exit("the demo shows its progress with tqdm, which is missing: pip install 'honker-db[demo]'")

FAULTY, INTERRUPTED = 1, 130
TICK_S = 0.005


def main(arguments=None):
    options = parse(arguments)
    print(f"files of {options.directory}, database {options.database}", flush=True)
    try:
        is_well = hash_files(options)
    except KeyboardInterrupt:
        again = "run the same command again" + (" without --fresh" if options.fresh else "")
        print(f"\ninterrupted; {again} to continue. The database: {options.database}")
        return INTERRUPTED
    except (DemoError, honker.HonkerError) as error:
        print(f"FAULT: {error}. The database: {options.database}")
        return FAULTY
    if not is_well:
        print(f"\nNOT WELL; see above. The database: {options.database}")
        return FAULTY
    if options.is_temporary:
        delete(options.database)
        print("\nall is well; the database is deleted (--database keeps it)")
    else:
        print("\nall is well; --fresh begins anew")
    return 0


def hash_files(options):
    """Run the demo. Returns True if there is no fault."""
    with honker.open(options.database) as db:
        if options.fresh and not options.is_file:
            store.drop_table(db)
        store.create_table(db)
        started_ns = time.time_ns()
        with Crew(options.database, options.lease) as crew:
            done_before = store.done_count(db)
            crew.hire()
            crew.hire()
            walked = crew.send_walker(options.directory, options.limit)
            show_walk(walked)
            if walked.known + walked.new == 0:
                raise DemoError(f"there is no file to hash in {options.directory}")
            casualty = follow(db, crew, done_before, walked.known + walked.new)
        files = store.files(db)
        verdicts = report.verify(files, lambda rows: tqdm(rows, desc="compare", unit="file", disable=None))
        return report.show(db, files, verdicts, casualty, started_ns)


def show_walk(walked):
    skipped = ", ".join(f"{count:,} x {reason}" for reason, count in sorted(walked.skipped.items()))
    print(
        f"{walked.new:,} new files, {walked.known:,} of an earlier run; passed over: {skipped or 'nothing'}", flush=True
    )


def follow(db, crew, done_before, total):
    """Show the progress until no job is left, and kill a worker half-way. Returns the casualty, or None."""
    casualty = None
    half_way = (done_before + total) / 2
    updates = db.update_events()
    with tqdm(total=total, initial=done_before, desc="hash", unit="file", disable=None) as bar:
        while not is_over(db, crew):
            crew.check()
            looked_at = time.monotonic()
            done = patiently(lambda: store.done_count(db))
            bar.update(done - bar.n)
            if casualty is None and done >= half_way:
                casualty = kill_a_worker(db, crew, done)
                updates.wait(TICK_S)
            else:
                # Counting takes longer with more files. Spend at most a tenth of the time on it.
                time.sleep(max(TICK_S, 10 * (time.monotonic() - looked_at)))
        bar.update(store.done_count(db) - bar.n)
    return casualty


def is_over(db, crew):
    # Check the walker first: once it has stopped, no uncounted job can appear.
    return not crew.is_walking and patiently(lambda: store.job_counts(db))[0] == 0


def kill_a_worker(db, crew, done):
    """SIGKILL the worker with the most leases, and start another. Returns None if no worker holds a lease.

    The leases are read again after the kill: until then the worker may have claimed and acknowledged.
    """
    leases = {worker_id: held for worker_id, held in store.leases(db).items() if worker_id in crew.workers}
    if not leases:
        return None
    worker_id = max(leases, key=lambda worker_id: len(leases[worker_id]))
    pid = crew.kill(worker_id)
    left = store.leases(db).get(worker_id)
    successor = crew.hire()
    if left is None:
        return None
    casualty = report.Casualty(worker_id, pid, left, done)
    tqdm.write(f"killed {worker_id} (pid {pid}), which held {len(casualty.job_ids)} leases; hired {successor}")
    return casualty


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=(
            "Hash the files of a directory with two workers, one of which is killed half-way, and compare every digest "
            "with one computed directly."
        ),
        epilog=(
            "Exit codes: 0 all is well, 1 a file is missing, wrong or acknowledged twice, 2 usage, "
            "130 interrupted (Ctrl-C); the same command then continues."
        ),
    )
    parser.add_argument("directory", metavar="DIR", nargs="?", help=f"the directory (default: {default_directory()})")
    parser.add_argument("--limit", type=int, default=5000, help="hash at most so many files, 0 for all (default: 5000)")
    parser.add_argument(
        "--database",
        metavar="PATH or URL",
        help="the database file, or the URL of a PostgreSQL database, kept for later runs (default: a file for this "
        "directory in the system's temporary directory, deleted when all is well)",
    )
    parser.add_argument("--fresh", action="store_true", help="do not continue an earlier run, delete its database")
    parser.add_argument(
        "--lease", type=float, default=2, metavar="SECONDS", help="how long a claim is leased for (default: 2)"
    )
    options = parser.parse_args(arguments)
    try:
        complete(options)
    except ValueError as error:
        parser.error(str(error))
    return options


def complete(options):
    """Fill in the defaults that depend on each other, and reject invalid options."""
    options.directory = os.path.realpath(options.directory or default_directory())
    options.is_temporary = options.database is None
    options.database = options.database or default_database(options.directory)
    options.is_file = not options.database.startswith(("postgresql://", "postgres://"))
    if not os.path.isdir(options.directory):
        raise ValueError(f"{options.directory} is not a directory")
    if options.limit < 0:
        raise ValueError(f"--limit is {options.limit}; it must be 0 or more")
    if options.lease <= 0:
        raise ValueError(f"--lease is {options.lease}; it must be positive")
    if options.is_file:
        refuse_foreign(options.database)
        if options.fresh:
            delete(options.database)


def default_directory():
    """A directory with some thousand files that exists on every machine."""
    shared = "/usr/share"
    return shared if os.path.isdir(shared) else sysconfig.get_path("stdlib")


def default_database(directory):
    """A path that depends only on directory and user, so that a second run continues an interrupted one."""
    name = hashlib.sha256(f"{os.getuid()} {directory}".encode(errors="surrogateescape")).hexdigest()[:12]
    return os.path.join(tempfile.gettempdir(), f"honker-demo-{name}.db")


def refuse_foreign(database):
    """Reject a database of another application, which may have a table `files` too: --fresh would delete it."""
    if not os.path.exists(database):
        return
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) NOT IN ('_honker', 'sqlite_')"
    try:
        with contextlib.closing(sqlite3.connect(database)) as conn:
            tables = {name for (name,) in conn.execute(sql)}
    except sqlite3.Error as error:
        raise ValueError(f"{database} cannot be used as the database: {error}") from error
    if tables - {"files"}:
        raise ValueError(f"{database} is no database of this demo: it has the tables {sorted(tables)}")


def delete(database):
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(database + suffix).unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
