"""Create and upgrade the schema ``honker`` of a PostgreSQL database.

Tables are made by numbered migrations, each once. Functions are replaced as a whole if one of their files has changed.
All of it is one transaction under an advisory lock, so two processes that install at once do it one after the other,
and a process that dies leaves the database as it was.

The public functions run with the rights of the role that installs them (SECURITY DEFINER), under a fixed search_path.
So the role of an application needs no right on a table: it calls the functions, and cannot break their rules by a
statement of its own. `grant` gives it what it needs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, LiteralString, cast

from honker.errors import InvalidArgumentError, SchemaTooNewError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    import psycopg

#: The key of the advisory lock of installations: "honk" in ASCII.
LOCK_KEY: Final = 0x686F6E6B

_SQL: Final = files("honker.postgres") / "sql"

# From the catalogue, which every role may read.
_HAS_SCHEMA: Final = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'honker')"
_IS_OF_OTHERS: Final = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'honker') AND pg_catalog.to_regclass('honker.installation') IS NULL"
)
_IS_INSTALLED: Final = (
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
    " WHERE n.nspname = 'honker' AND p.proname = 'honker_bootstrap')"
)
# The settings that an installation changes for its transaction. No operator, which may be one of the application.
_SETTINGS: Final = (
    "SELECT pg_catalog.json_build_object("
    "'search_path', pg_catalog.current_setting('search_path'),"
    " 'standard_conforming_strings', pg_catalog.current_setting('standard_conforming_strings'),"
    " 'check_function_bodies', pg_catalog.current_setting('check_function_bodies'))"
)
_PUBLIC_FUNCTIONS: Final = (
    "SELECT p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc AS p"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
    " WHERE n.nspname = 'honker' AND (p.prosecdef OR p.proname = '_now')"
)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The state of the schema ``honker`` in a database.

    Attributes:
        version: The version of its tables; 0 without any.
        newest: The version that this honker makes.
        has_these_functions: True if its functions are those of this honker.
        release: The release of honker that has installed the functions, as `_release` counts.
    """

    version: int
    newest: int
    has_these_functions: bool
    release: int

    @property
    def is_current(self) -> bool:
        """True if there is nothing to install."""
        return self.version == self.newest and self.has_these_functions

    @property
    def is_newer(self) -> bool:
        """True if a newer release has installed it. Its functions serve this one too, and must stay.

        Else a process of the old release that starts again, in the middle of a rollout, would undo the new one.
        """
        return self.version > self.newest or self.release > _release()


def is_installed(connection: psycopg.Connection[Any]) -> bool:
    """True if the database has functions of honker, of any version."""
    return bool(_value(connection, _IS_INSTALLED))


def look(connection: psycopg.Connection[Any]) -> Installation:
    """Read the state of the schema, as it is.

    Raises:
        psycopg.Error: The role may not read it.
    """
    found = (
        _found(connection.execute("SELECT part, version, digest FROM honker.installation").fetchall())
        if (is_installed(connection))
        else {}
    )
    return Installation(
        version=found.get("tables", (0, ""))[0],
        newest=len(_migrations()),
        has_these_functions=found.get("functions", (0, ""))[1] == _digest(_sources()),
        release=found.get("functions", (0, ""))[0],
    )


def grant(connection: psycopg.Connection[Any], role: str) -> int:
    """Let a role call the public functions, which is all that an application and its workers need.

    Later installations include the functions that they add. Returns the number of functions.

    Raises:
        psycopg.Error: There is no such role, or this one does not own the schema.
    """
    from psycopg import sql  # noqa: PLC0415 - an extra

    grantee = sql.Identifier(role)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA honker TO {}").format(grantee))
        cursor.execute(sql.SQL("GRANT SELECT ON honker.installation TO {}").format(grantee))
        signatures = [signature for (signature,) in cursor.execute(_PUBLIC_FUNCTIONS).fetchall()]
        for signature in signatures:
            # A signature of the catalogue is quoted as it must be.
            function = sql.SQL(cast("LiteralString", signature))
            cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(function, grantee))
    return len(signatures)


def install(connection: psycopg.Connection[Any]) -> bool:
    """Bring the schema ``honker`` up to this version. True if something was changed.

    The role needs CREATE on the database for the first installation, and must own the schema for later ones.

    Args:
        connection: A connection. The installation becomes part of its open transaction, if there is one.

    Raises:
        InvalidArgumentError: The database has a schema ``honker`` that is not honker's.
        SchemaTooNewError: A newer honker has installed its tables.
        psycopg.Error: PostgreSQL refused, for instance for the lack of a privilege.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_catalog.pg_advisory_xact_lock(%s)", (LOCK_KEY,))
        before = _value(connection, _SETTINGS)
        # Types and operators of the application are not taken for PostgreSQL's.
        cursor.execute("SET LOCAL search_path = pg_catalog, pg_temp")
        cursor.execute("SET LOCAL standard_conforming_strings = on")
        # IF NOT EXISTS would need CREATE on the database even for a schema that is there.
        if not _value(connection, _HAS_SCHEMA):
            cursor.execute("CREATE SCHEMA honker")
        elif _value(connection, _IS_OF_OTHERS):
            raise InvalidArgumentError(
                "the database has a schema honker with tables of another program; rename that schema, or use another "
                "database"
            )
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS honker.installation (part text PRIMARY KEY, version bigint "
            "NOT NULL, digest text NOT NULL)"
        )
        cursor.execute("SELECT part, version, digest FROM honker.installation")
        found = _found(cursor.fetchall())
        is_migrated = _migrate(cursor, found.get("tables", (0, ""))[0])
        has_new_functions = _replace_functions(cursor, found.get("functions", (0, ""))[1])
        # A transaction of the caller goes on with its own settings, which a savepoint does not bring back.
        for name, value in before.items():
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (name, value))
        return has_new_functions or is_migrated


def _migrate(cursor: psycopg.Cursor[Any], installed: int) -> bool:
    migrations = _migrations()
    if installed > len(migrations):
        raise SchemaTooNewError(
            f"the tables of honker have version {installed} here, and this honker knows versions up "
            f"to {len(migrations)}; upgrade honker"
        )
    for file in migrations[installed:]:
        cursor.execute(file.read_bytes())
    _note(cursor, "tables", len(migrations), "")
    return installed < len(migrations)


def _replace_functions(cursor: psycopg.Cursor[Any], installed: str) -> bool:
    sources = _sources()
    digest = _digest(sources)
    if digest == installed:
        return False
    # Bodies name functions and tables of files that come later.
    cursor.execute("SET LOCAL check_function_bodies = off")
    for source in sources:
        cursor.execute(source)
    _note(cursor, "functions", _release(), digest)
    return True


def _sources() -> list[bytes]:
    """The files of functions, and last the one that sets their privileges."""
    functions = [file.read_bytes() for room in _rooms() for file in sorted(room.iterdir(), key=lambda file: file.name)]
    return [*functions, (_SQL / "privileges.sql").read_bytes()]


def _release() -> int:
    """The release of this package as a number that grows: 1.2.3 is 1002003, and 0 is unknown."""
    try:
        numbers = re.findall(r"\d+", version("honker-db"))
    except PackageNotFoundError:
        return 0
    major, minor, patch = (*map(int, numbers[:3]), 0, 0, 0)[:3]
    return (major * 1000 + minor) * 1000 + patch


def _digest(sources: list[bytes]) -> str:
    return hashlib.sha256(b"\0".join(sources)).hexdigest()


def _migrations() -> list[Traversable]:
    return sorted((_SQL / "migrations").iterdir(), key=lambda file: file.name)


def _found(rows: list[tuple[str, int, str]]) -> dict[str, tuple[int, str]]:
    return {part: (version, digest) for part, version, digest in rows}


def _value(connection: psycopg.Connection[Any], statement: LiteralString) -> Any:
    row = connection.execute(statement).fetchone()
    return None if row is None else row[0]


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
