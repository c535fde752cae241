"""Hazards of the settings and the schema of a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

from honker.cli.doctor.finding import UNFINISHED_COPY, Finding
from honker.cli.schema import schema_version

#: The page size of SQLite's own default, in bytes.
PAGE_BYTES: Final = 4096

# Damages of the file that are listed at most.
_PROBLEMS: Final = 5


def check_pages(conn: sqlite3.Connection) -> Iterator[Finding]:
    """Check that the pages of the file form tables and indexes. Reads every page."""
    try:
        problems = [text for (text,) in conn.execute(f"PRAGMA quick_check({_PROBLEMS})")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        problems = [str(error)]
    for problem in problems:
        if problem != "ok":
            yield Finding(
                check="damaged",
                fact=problem,
                why="SQLite cannot read or write what is there; jobs are lost, and commands fail with 'database disk "
                "image is malformed'",
                step="stop every process of the file, keep a copy of it, and put a backup in its place by `honker "
                "restore`; without one, save rows by `.recover` of the sqlite3 shell",
            )


def check_settings(conn: sqlite3.Connection) -> Iterator[Finding]:
    """Check the journal mode, the page size and the triggers of the file."""
    mode = _value(conn, "PRAGMA journal_mode")
    if mode != "wal":
        yield Finding(
            check="journal-mode",
            fact=f"the journal mode is {mode}",
            why="readers and writers wait for each other, and fail with 'database is locked' under load",
            step="run PRAGMA journal_mode = WAL once; honker.open() does that",
        )
    page = _value(conn, "PRAGMA page_size")
    if page < PAGE_BYTES:
        yield Finding(
            check="page-size",
            fact=f"the page size is {page} bytes",
            why="payloads spread over many pages, and each claim reads and writes more of them",
            step=f"stop every process of the file, then run PRAGMA journal_mode = DELETE; PRAGMA page_size = "
            f"{PAGE_BYTES}; VACUUM; PRAGMA journal_mode = WAL",
        )
    yield from _check_trust(conn)


def _check_trust(conn: sqlite3.Connection) -> Iterator[Finding]:
    if _value(conn, "PRAGMA trusted_schema"):
        return
    sql = (
        "SELECT name FROM main.sqlite_master WHERE type IN ('trigger', 'view') AND sql LIKE '%honker\\_%(%' ESCAPE '\\'"
    )
    names = [name for (name,) in conn.execute(sql + " ORDER BY name")]
    if names:
        yield Finding(
            check="trusted-schema",
            fact=f"{', '.join(names)} calls honker, and this SQLite does not trust the schema (trusted_schema is off)",
            why="the statements that fire it fail with 'unsafe use of a function'",
            step="run PRAGMA trusted_schema = ON in each connection of a file that you trust, or call honker in the "
            "application",
        )


def check_version(conn: sqlite3.Connection, supported: int) -> Iterator[Finding]:
    """Check that the file has the schema of this honker."""
    found = schema_version(conn)
    if found < supported:
        yield Finding(
            check="schema",
            fact=f"the file has schema version {found}, this honker {supported}",
            why="the first process that opens it upgrades it, and older honkers are then refused",
            step="see the changes by `honker migrate FILE --dry-run`, then run `honker migrate FILE`",
        )
    elif found > supported:
        yield Finding(
            check="schema",
            fact=f"the file has schema version {found}, this honker knows {supported}",
            why="this honker refuses to open it",
            step="upgrade honker here to the version of the other processes",
        )


def check_copy(conn: sqlite3.Connection) -> Iterator[Finding]:
    """Check that no copy into the file is unfinished."""
    if _value(conn, "SELECT EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'copy_source')"):
        yield UNFINISHED_COPY


def check_reference(conn: sqlite3.Connection, hazards: list[dict[str, Any]]) -> Iterator[Finding]:
    """Check a file that the public honker works on too.

    Args:
        conn: The connection.
        hazards: The result of ``honker_hazards``.
    """
    for hazard in hazards:
        name = f"schedule {hazard['name']}: " if hazard["name"] else ""
        problem, _, step = hazard["problem"].partition("; ")
        yield Finding(
            check="reference",
            fact=f"{name}{problem}",
            why="the public honker on the same file acts differently",
            step=step or "change the schedule, or stop the processes of the public honker",
        )
    used = [name for name, sql in _FLOW.items() if _value(conn, sql)]
    if used and _value(conn, _REFERENCE):
        yield Finding(
            check="reference",
            fact=f"the public honker has opened this file, which uses {', '.join(used)}",
            why="its processes know no limits, keys or parents: they start jobs too early and end them without their "
            "effects",
            step="stop its processes, or let them work on queues without these; if it is gone for good, run DROP INDEX "
            "IF EXISTS _honker_live_claim and SELECT honker_file_share(0)",
        )


# The mark of a shared file, or an index that only the public honker makes.
_REFERENCE: Final = (
    "SELECT EXISTS (SELECT 1 FROM main._honker_meta WHERE key = 'shared') "
    "OR EXISTS (SELECT 1 FROM main.sqlite_master WHERE name = '_honker_live_claim')"
)
_FLOW: Final = {
    "limits": "SELECT EXISTS (SELECT 1 FROM main._honker_queues WHERE coalesce(concurrency, concurrency_per_key, "
    "ordered, rate_limit, key_rate_limit) IS NOT NULL)",
    "keys": "SELECT EXISTS (SELECT 1 FROM main._honker_live WHERE key IS NOT NULL)",
    "unique jobs": "SELECT EXISTS (SELECT 1 FROM main._honker_live WHERE unique_key IS NOT NULL)",
    "parents": "SELECT EXISTS (SELECT 1 FROM main._honker_dependencies)",
}


def _value(conn: sqlite3.Connection, sql: str) -> Any:
    return conn.execute(sql).fetchall()[0][0]
