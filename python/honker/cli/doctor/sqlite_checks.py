"""Hazards of SQLite libraries: known faults, and two copies in one process."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from honker.cli.doctor.finding import Finding

#: The processes of this machine; Linux only.
PROCESSES: Final = Path("/proc")

# Texts that stand in each copy of SQLite, and together in no program that only uses one.
_MARKS: Final = (b"SQLite format 3\0", b"malformed database schema")

# The first release with the repair of the fault, and the first with the fault. https://sqlite.org/wal.html#walresetbug
_REPAIRED: Final = (3, 51, 3)
_FAULTY: Final = (3, 7, 0)


def check_libraries(path: str) -> Iterator[Finding]:
    """Check the SQLite of this Python, and those of the processes that have the file open."""
    yield from check_version(sqlite3.sqlite_version_info)
    real = os.path.realpath(path)
    for process in sorted(_processes_with(real) | {os.getpid()}):
        yield from _check_copies(process)


def check_version(version: tuple[int, ...]) -> Iterator[Finding]:
    """Check a version of SQLite for faults that damage files."""
    if _FAULTY <= version < _REPAIRED:
        yield Finding(
            check="sqlite-version",
            fact=f"this Python uses SQLite {'.'.join(map(str, version))}",
            why="before 3.51.3, two connections that checkpoint the -wal at the same moment can damage the file; some "
            "distributions have backported the repair without a new number",
            step="upgrade SQLite to 3.51.3 or later; if the changelog of your distribution lists the repair "
            "(https://sqlite.org/wal.html#walresetbug), pass --ignore sqlite-version",
        )


def _processes_with(path: str) -> set[int]:
    """The processes with the file open, as far as this user may see them."""
    found: set[int] = set()
    for entry in PROCESSES.glob("[0-9]*"):
        try:
            links = [os.readlink(each) for each in (entry / "fd").iterdir()]
        except OSError:  # ended, or of another user
            continue
        if path in links:
            found.add(int(entry.name))
    return found


def _check_copies(process: int) -> Iterator[Finding]:
    copies = copies_in(process)
    if len(copies) > 1:
        yield Finding(
            check="two-sqlites",
            fact=f"process {process} has {len(copies)} copies of SQLite: {', '.join(copies)}",
            why="when one copy closes the file, the system drops the locks of the other, and commits are lost",
            step="open the file by one of them only; for honker pass its module, as in honker.open(path, "
            "sqlite3=pysqlite3)",
        )


def copies_in(process: int) -> list[str]:
    """The loaded libraries and programs of a process that contain a copy of SQLite."""
    try:
        lines = (PROCESSES / str(process) / "maps").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    fields = [line.split(maxsplit=5) for line in lines]
    executable = {each[5] for each in fields if len(each) == 6 and "x" in each[1] and each[5].startswith("/")}  # noqa: PLR2004
    return sorted(name for name in executable if _has_sqlite(name))


def _has_sqlite(name: str) -> bool:
    try:
        content = Path(name).read_bytes()
    except OSError:  # replaced or removed since
        return False
    return all(mark in content for mark in _MARKS)
