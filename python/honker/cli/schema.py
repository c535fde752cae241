"""The schema version of a file, and the objects of its schema."""

from __future__ import annotations

import functools
import sqlite3
from contextlib import closing
from typing import Final

from honker.sqlite.extension import connect

_HAS_META: Final = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name = '_honker_meta')"
_VERSION: Final = "SELECT max(value) FROM main._honker_meta WHERE key = 'schema_version'"
_OBJECTS: Final = "SELECT type, name, ifnull(sql, '') FROM main.sqlite_master"
_BOOTSTRAP: Final = "SELECT honker_bootstrap()"


def schema_version(conn: sqlite3.Connection) -> int:
    """The version of honker's tables in a file; 0 without one, as in a file of the public honker."""
    [(has_meta,)] = conn.execute(_HAS_META).fetchall()
    return int(conn.execute(_VERSION).fetchall()[0][0] or 0) if has_meta else 0


@functools.cache
def newest_version() -> int:
    """The version that this honker writes."""
    with closing(connect(":memory:", isolation_level=None)) as conn:
        upgrade(conn)
        return schema_version(conn)


def upgrade(conn: sqlite3.Connection) -> None:
    """Bring the file to the newest version; does nothing if it has that already."""
    conn.execute(_BOOTSTRAP).fetchall()


def objects(conn: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The definition of each table, index, trigger and view of the file."""
    return {(kind, name): sql for kind, name, sql in conn.execute(_OBJECTS)}
