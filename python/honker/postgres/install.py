"""Create and upgrade the schema ``honker`` of a PostgreSQL database.

Tables are made by numbered migrations, each once. Functions are replaced as a whole if one of their files has changed.
All of it
is one transaction under an advisory lock, so two processes that install at once do it one after the other, and a
process that dies leaves the database as it was.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from honker.errors import HonkerError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import psycopg

#: The key of the advisory lock of installations: "honk" in ASCII.
LOCK_KEY: Final = 0x686F6E6B

_SQL: Final = files("honker.postgres") / "sql"


def install(connection: psycopg.Connection[Any]) -> bool:
    """Bring the schema ``honker`` up to this version. True if something was changed.

    The role needs CREATE on the database for the first installation, and must own the schema for later ones.

    Args:
        connection: A connection without an open transaction.

    Raises:
        HonkerError: A newer honker has installed its tables.
        psycopg.Error: PostgreSQL refused, for instance for the lack of a privilege.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        cursor.execute("CREATE SCHEMA IF NOT EXISTS honker")
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS honker.installation (part text PRIMARY KEY, version bigint "
            "NOT NULL, digest text NOT NULL)"
        )
        cursor.execute("SELECT part, version, digest FROM honker.installation")
        found = {part: (version, digest) for part, version, digest in cursor.fetchall()}
        is_migrated = _migrate(cursor, found.get("tables", (0, ""))[0])
        return _replace_functions(cursor, found.get("functions", (0, ""))[1]) or is_migrated


def _migrate(cursor: psycopg.Cursor[Any], installed: int) -> bool:
    migrations = sorted((_SQL / "migrations").iterdir(), key=lambda file: file.name)
    if installed > len(migrations):
        raise HonkerError(
            f"The tables of honker have version {installed} here, and this honker knows versions up "
            f"to {len(migrations)}: upgrade honker"
        )
    for file in migrations[installed:]:
        cursor.execute(file.read_bytes())
    _note(cursor, "tables", len(migrations), "")
    return installed < len(migrations)


def _replace_functions(cursor: psycopg.Cursor[Any], installed: str) -> bool:
    sources = [file.read_bytes() for room in _rooms() for file in sorted(room.iterdir(), key=lambda file: file.name)]
    digest = hashlib.sha256(b"\0".join(sources)).hexdigest()
    if digest == installed:
        return False
    # Bodies name functions and tables of files that come later.
    cursor.execute("SET LOCAL check_function_bodies = off")
    for source in sources:
        cursor.execute(source)
    _note(cursor, "functions", 0, digest)
    return True


def _rooms() -> list[Traversable]:
    """The folders of functions; `ground` first, which the others build on."""
    rooms = [room for room in _SQL.iterdir() if room.is_dir() and room.name != "migrations"]
    return sorted(rooms, key=lambda room: (room.name != "ground", room.name))


def _note(cursor: psycopg.Cursor[Any], part: str, version: int, digest: str) -> None:
    cursor.execute(
        "INSERT INTO honker.installation VALUES (%s, %s, %s)"
        " ON CONFLICT (part) DO UPDATE SET version = excluded.version, digest = excluded.digest",
        (part, version, digest),
    )
