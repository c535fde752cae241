"""``honker migrate``: bring a database to the schema of this honker."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import click

from honker.cli.database_file import connect_as_it_is, database_argument, location_of, look_at
from honker.cli.migrate_url import migrate_url
from honker.cli.output import Output, bright, json_option
from honker.cli.schema import newest_version, objects, schema_version, upgrade
from honker.errors import SchemaTooNewError, from_sqlite
from honker.postgres.location import is_postgres

_SIGNS = {"add": "+", "drop": "-", "change": "~"}


@click.command(
    short_help="Upgrade honker's tables in a database.",
    epilog="""\b
Examples:
  honker migrate shop.db --dry-run
  honker migrate shop.db
  honker migrate postgresql://admin@host/shop --grant shop_app
  honker migrate postgresql://host/shop --check

Make a copy by `honker backup` first. Every process that opens the file upgrades it too; this command does it at a time
of your choice. Stop the processes of older honkers before: they are refused once the new features are in use.

On PostgreSQL it makes the schema "honker", or upgrades its tables and replaces its functions, in one transaction. The
first installation needs CREATE on the database, and later ones the role that owns the schema. The functions run with
the rights of that role. --grant lets the role of an application call them, and gives it no right on the tables.

Exit codes: 0 the database is up to date (with --dry-run: no error), 1 database error, or not up to date with --check,
2 usage error.""",
)
@database_argument
@click.option("--dry-run", is_flag=True, help="Make the changes in a transaction, print them, and roll back.")
@click.option("--check", "checks", is_flag=True, help="Change nothing; exit with 1 if an upgrade is due.")
@click.option(
    "--grant",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="PostgreSQL: let a role enqueue and work, through the functions only. May be repeated.",
)
@json_option
def migrate(path: str, dry_run: bool, checks: bool, roles: tuple[str, ...], is_json: bool) -> int:
    """Upgrade the tables of the database DB to this honker, and print each change of the schema.

    A database that is up to date is not changed. Missing tables and indexes of a file are made again.
    """
    output = Output(is_json=is_json)
    if checks and (dry_run or roles):
        raise click.UsageError("--check changes nothing; leave --dry-run and --grant out")
    path = location_of(path)
    if is_postgres(path):
        return migrate_url(path, roles, dry_run=dry_run, checks=checks, output=output)
    if roles:
        raise click.UsageError(f"--grant is for PostgreSQL; {path!r} is a file, whose rights are those of the system")
    with closing(look_at(path)) as conn:
        _refuse_newer(schema_version(conn))
    try:
        with closing(connect_as_it_is(path, mode="rw")) as conn:
            versions, changes = _run(conn, keeps=not (dry_run or checks))
    except sqlite3.Error as error:
        raise from_sqlite(error) from error
    for change in changes:
        output.line(f"{_SIGNS[change['change']]} {change['type']} {bright(change['name'])}", change)
    before, after = versions
    summary = {"from": before, "to": after, "changes": len(changes), "is_dry_run": dry_run or checks}
    output.line(_summary(before, after, len(changes), dry_run or checks), summary)
    return int(checks and bool(changes or before != after))


def _summary(before: int, after: int, count: int, dry_run: bool) -> str:
    if before == after and not count:
        return f"schema version {after}; up to date"
    what = "would change" if dry_run else "changed"
    return f"schema version {before} -> {after}; {count} objects {what}"


def _refuse_newer(found: int) -> None:
    if found > newest_version():
        raise SchemaTooNewError(
            f"the file has schema version {found}, this honker knows {newest_version()}; upgrade honker"
        )


def _run(conn: sqlite3.Connection, *, keeps: bool) -> tuple[tuple[int, int], list[dict[str, Any]]]:
    """Upgrade in one transaction, and keep or undo it; return the versions before and after, and the changes."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        before, old = schema_version(conn), objects(conn)
        upgrade(conn)
        versions, changes = (before, schema_version(conn)), list(_changes(old, objects(conn)))
        conn.execute("COMMIT" if keeps else "ROLLBACK")
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
    return versions, changes


def _changes(old: dict[tuple[str, str], str], new: dict[tuple[str, str], str]) -> Iterator[dict[str, Any]]:
    for kind, name in sorted(old.keys() | new.keys()):
        before, after = old.get((kind, name)), new.get((kind, name))
        if before != after:
            change = "add" if before is None else "drop" if after is None else "change"
            yield {"change": change, "type": kind, "name": name}
