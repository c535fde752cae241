"""A verified copy of a database file that is in use."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

from honker.cli.database_file import connect_as_it_is, look_at

#: Pages copied between two calls of the progress function, and so between two chances of Ctrl-C.
_PAGES: Final = 2_000


class CopyError(Exception):
    """The copy cannot be made, or is not equal to the file; the target is as before."""


def copy_verified(
    source: str,
    target: str,
    *,
    force: bool,
    on_progress: Callable[[int, int], None],
    prepare: Callable[[str], None] | None = None,
) -> dict[str, int]:
    """Copy a file to a target, which appears complete or not at all.

    Args:
        source: The database file.
        target: The path of the copy.
        force: Overwrite an existing file.
        on_progress: Called with the pages copied and their total.
        prepare: Changes the verified copy before it gets its name; None leaves it as it is.

    Returns:
        The bytes and rows of the copy.

    Raises:
        CopyError: See there.
        OSError: The folder of the target cannot be written.
    """
    target = os.path.realpath(target)  # A link stays one, and SQLite keeps the -wal beside the file that it leads to.
    _check_target(source, target, force=force)
    folder = os.path.dirname(os.path.abspath(target))
    # Not tempfile.mkstemp: a Ctrl-C between its return and the block would leave the file behind.
    temporary = os.path.join(folder, f".{os.path.basename(target)}.{secrets.token_hex(8)}.part")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        rows = _copy(source, temporary, on_progress)
        _verify(temporary, rows)
        if prepare is not None:
            prepare(temporary)
            _check_is_closed(temporary)
        os.chmod(temporary, stat.S_IMODE(os.stat(source).st_mode))
        _sync(temporary)
        _check_target(source, target, force=force)  # again: it may have appeared meanwhile
        copied = os.stat(temporary).st_size
        os.replace(temporary, target)
        _sync(folder)
    finally:
        # In every other case, Ctrl-C included, the copy is incomplete.
        for name in (temporary, f"{temporary}-wal", f"{temporary}-shm", f"{temporary}-journal"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    return {"bytes": copied, "rows": sum(rows.values())}


def _check_target(source: str, target: str, *, force: bool) -> None:
    if os.path.exists(target) and not os.path.isfile(target):
        raise CopyError(f"{target!r} is no regular file; name another TARGET")
    if os.path.exists(target) and os.path.samefile(source, target):
        raise CopyError(f"{target!r} is the file itself; name another TARGET")
    if os.path.exists(target) and not force:
        raise CopyError(f"{target!r} exists; name another TARGET, or pass --force to overwrite it")
    for name, least_bytes in ((f"{target}-wal", 0), (f"{target}-journal", 1)):
        # The -wal of a process that is idle may be empty.
        if os.path.exists(name) and os.path.getsize(name) >= least_bytes:
            raise CopyError(
                f"{name!r} exists, so {target!r} is in use or was not closed, and SQLite would mix the two; stop its "
                "processes, or open and close the file once"
            )


def _check_is_closed(path: str) -> None:
    """Refuse a copy with commits that are in its -wal only, which does not get the name of the target."""
    if os.path.exists(f"{path}-wal") and os.path.getsize(f"{path}-wal"):
        raise CopyError("the copy is still open in another process; run the command again")


def _copy(source: str, target: str, on_progress: Callable[[int, int], None]) -> dict[str, int]:
    """Copy the pages of one moment; return the number of rows of each table at that moment."""
    with closing(look_at(source)) as conn, closing(connect_as_it_is(target, mode="rw")) as copy:
        # One read transaction for all of it. Without one, a commit between two steps would begin the copy again, and
        # with a constant writer it would never end.
        conn.execute("BEGIN")
        rows = _row_counts(conn)
        conn.backup(copy, pages=_PAGES, progress=lambda _, left, total: on_progress(total - left, total))
        conn.execute("ROLLBACK")
    return rows


def _verify(path: str, expected: dict[str, int]) -> None:
    with closing(connect_as_it_is(path, mode="rw")) as conn:
        problems = [text for (text,) in conn.execute("PRAGMA integrity_check(5)")]
        if problems != ["ok"]:
            raise CopyError(f"the copy is damaged, and so is the file: {'; '.join(problems)}; run `honker doctor`")
        found = _row_counts(conn)
    if found != expected:
        differing = sorted(name for name in expected | found if expected.get(name) != found.get(name))
        raise CopyError(f"the copy has other numbers of rows in {', '.join(differing)}; run the command again")


def _row_counts(conn: sqlite3.Connection) -> dict[str, int]:
    return {name: conn.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0] for name in _tables(conn)}


def _tables(conn: sqlite3.Connection) -> Iterator[str]:
    sql = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    for (name,) in conn.execute(sql).fetchall():
        yield name


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _sync(path: str) -> None:
    """Write a file, or the names in a folder, through to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
