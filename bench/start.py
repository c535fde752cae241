"""The start of a process: opening a file that exists, the first enqueue, and files with many tables.

    python bench/start.py [--quick | --full]

Python and honker are imported before. The lower bound is a plain `sqlite3` connection that reads one row, which loads
the whole schema of the file. In the file with many tables, each of 16,000 tables has an index, and honker's tables are
there already; the first open of all, which makes them, is measured once a round too.
"""

import sqlite3
import sys
import time

import honker
from support import numbers, program, rounds

TABLES = 16_000
PLAIN, OPEN, ENQUEUE = "sqlite3", "honker", "honker, first enqueue"
MANY, PLAIN_MANY, FIRST = "honker, many tables", "sqlite3, many tables", "honker, first open of many tables"


def measure(run):
    with run.new_folder() as folder:
        path, many = folder / "shop.db", folder / "many.db"
        honker.open(path).close()
        add_tables(many, run.size(50, TABLES))
        bare = many.read_bytes()
        honker.open(many).close()
        ways = {
            PLAIN: lambda: plain(path),
            OPEN: lambda: opened(path),
            ENQUEUE: lambda: enqueued(path),
            PLAIN_MANY: lambda: plain(many),
            MANY: lambda: opened(many),
            FIRST: lambda: opened_first(folder / "first.db", bare),
        }
        figures = rounds.interleave(run, ways)
    run.measure("start", f"start of a process; many tables are {run.size(50, TABLES):,}: ms", figures, "ms", ours=OPEN)
    medians = {way: numbers.spread(values)["median"] for way, values in figures.items()}
    run.judge("start", medians[OPEN], f"a bare connection that reads: {medians[PLAIN]:.1f} ms")
    bare_ms, first_ms = medians[PLAIN_MANY], medians[FIRST]
    run.judge(
        "start_tables", medians[MANY], f"a bare connection that reads: {bare_ms:.0f} ms; first of all: {first_ms:.0f}"
    )


def add_tables(path, count):
    with sqlite3.connect(path) as connection:
        for number in range(count):
            connection.execute(f"CREATE TABLE application_{number} (id INTEGER PRIMARY KEY, name TEXT)")
            connection.execute(f"CREATE INDEX by_name_{number} ON application_{number} (name)")
    connection.close()


def plain(path):
    began = time.perf_counter()
    connection = sqlite3.connect(path)
    connection.execute("SELECT value FROM _honker_meta LIMIT 1").fetchone()
    seconds = time.perf_counter() - began
    connection.close()
    return seconds * 1000


def opened(path):
    began = time.perf_counter()
    db = honker.open(path)
    seconds = time.perf_counter() - began
    db.close()
    return seconds * 1000


def enqueued(path):
    with honker.open(path) as db:
        began = time.perf_counter()
        db.queue("emails").enqueue({"to": "alice"})
        return (time.perf_counter() - began) * 1000


def opened_first(path, bare):
    path.write_bytes(bare)
    try:
        return opened(path)
    finally:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()


if __name__ == "__main__":
    sys.exit(program.main(__doc__, measure))
