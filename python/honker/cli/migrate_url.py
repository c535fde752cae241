"""``honker migrate`` of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from honker.cli.database_url import refused
from honker.cli.output import Output, bright
from honker.errors import DatabaseReadOnlyError, HonkerError, SchemaTooNewError
from honker.postgres.driver import connect
from honker.postgres.install import Installation, grant, install, look
from honker.postgres.location import without_password

if TYPE_CHECKING:
    import psycopg


def migrate_url(url: str, roles: Sequence[str], *, dry_run: bool, checks: bool, output: Output) -> int:
    """Install or upgrade the schema ``honker`` and grant it to roles. Returns the exit code."""
    try:
        with closing(connect(url)) as conn:
            return _migrate(conn, roles, keeps=not (dry_run or checks), checks=checks, output=output)
    except HonkerError as error:
        raise _explained(url, error) from error


def _migrate(conn: psycopg.Connection[Any], roles: Sequence[str], *, keeps: bool, checks: bool, output: Output) -> int:
    import psycopg  # noqa: PLC0415 - an extra

    from honker.postgres.failures import from_postgres  # noqa: PLC0415

    try:
        before = look(conn)
        if checks:
            return _check(before, output)
        with conn.transaction(force_rollback=not keeps):
            install(conn)
            after = look(conn)
            granted = {role: grant(conn, role) for role in roles}
    except psycopg.Error as error:
        raise from_postgres(error) from error
    _report(before, after, is_dry_run=not keeps, output=output)
    for role, count in granted.items():
        text = f"+ role {bright(role)} {'may' if keeps else 'would be allowed to'} call {count} functions"
        output.line(text, {"role": role, "functions": count, "is_dry_run": not keeps})
    return 0


def _check(found: Installation, output: Output) -> int:
    if found.version > found.newest:
        raise SchemaTooNewError(
            f"the tables of honker have version {found.version} here, and this honker knows versions up to "
            f"{found.newest}; upgrade honker"
        )
    record = {
        "from": found.version,
        "to": found.newest,
        "functions": "current" if found.has_these_functions else "other",
        "is_current": found.is_current,
    }
    if found.is_current:
        output.line(f"schema version {found.version}; up to date", record)
    elif found.version == 0:
        output.line("no schema honker; `honker migrate` makes it", record)
    else:
        functions = "" if found.has_these_functions else "; the functions are of another honker"
        output.line(f"schema version {found.version} of {found.newest}{functions}; run `honker migrate`", record)
    return int(not found.is_current)


def _report(before: Installation, after: Installation, *, is_dry_run: bool, output: Output) -> None:
    record = {
        "from": before.version,
        "to": after.version,
        "functions": "current" if before.has_these_functions else "replaced",
        "is_dry_run": is_dry_run,
    }
    if before.is_current:
        output.line(f"schema version {after.version}; up to date", record)
        return
    done = "would be " if is_dry_run else ""
    functions = "" if before.has_these_functions else f"; functions {done}replaced"
    output.line(f"schema version {before.version} -> {after.version}{functions}", record)


def _explained(url: str, error: HonkerError) -> click.ClickException:
    if isinstance(error, DatabaseReadOnlyError):
        return click.ClickException(
            f"{without_password(url)!r}: {error}; the first installation needs CREATE on the database, and later ones "
            "the role that owns the schema honker"
        )
    return refused(url, error)
