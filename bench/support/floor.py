"""The lower bound with plain SQLite: honker's own tables, rows and settings, without honker."""

from dataclasses import dataclass
from pathlib import Path

import honker

from .sides import PLAIN, PLAIN_FULL

PAYLOAD = {"to": "alice@example.com", "order": 4711}  # that of drivers/protocol.py

# Every connection setting that could make a difference.
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
JOB_COLUMNS = ("queue", "payload", "priority", "run_at", "max_attempts", "expires_at", "created_at")
EVENT_COLUMNS = ("topic", "key", "payload", "created_at")


@dataclass(frozen=True)
class Floor:
    """A statement, a row written by honker's statement, and the settings of honker's connection."""

    table: str
    statement: str
    row: list
    settings: dict


def of_jobs(folder):
    """A row of `enqueue`, read back from the database, so that both sides write the same."""
    with honker.open(folder / "row.db") as db:
        db.queue("bench").enqueue(PAYLOAD)
        return _floor(db, "_honker_live", JOB_COLUMNS)


def of_events(folder):
    with honker.open(folder / "row.db") as db:
        db.stream("bench").publish(PAYLOAD)
        return _floor(db, "_honker_stream", EVENT_COLUMNS)


def _floor(db, table, columns):
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    row = list(db.query(f"SELECT {', '.join(columns)} FROM {table}")[0].values())
    with db.transaction() as tx:
        settings = {name: _setting(tx, name) for name in SETTINGS}
    return Floor(table, statement, row, {name: value for name, value in settings.items() if value is not None})


def _setting(tx, name):
    rows = tx.query(f"PRAGMA {name}")
    return next(iter(rows[0].values())) if rows else None


def open_new(side, folder, floor=None):
    """Open a new database for one measurement; plain SQLite gets honker's tables and settings."""
    path = str(Path(folder) / "bench.db")
    is_plain = side.name in {PLAIN, PLAIN_FULL}
    if is_plain and floor is not None:
        honker.open(path).close()
        side.open(path=path, settings=floor.settings)
    else:
        side.open(path=path)
        if is_plain:
            side.create_queue()
    return path
