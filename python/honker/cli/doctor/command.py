"""The command ``honker doctor``."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import asdict

import click

from honker.cli.database_file import check_exists, database_argument, is_target, location_of_app, look_at
from honker.cli.doctor.file_checks import check_file
from honker.cli.doctor.finding import CHECKS, Finding
from honker.cli.doctor.row_checks import (
    ask,
    check_clock,
    check_flow,
    check_malformed,
    check_queues,
    check_schedules,
    check_workers,
)
from honker.cli.doctor.schema_checks import check_copy, check_pages, check_reference, check_settings, check_version
from honker.cli.doctor.server import find_in_server
from honker.cli.doctor.sqlite_checks import check_libraries
from honker.cli.output import Output, bright, faint, json_option, visible
from honker.cli.schema import newest_version, schema_version
from honker.cli.target import open_target
from honker.errors import from_sqlite
from honker.postgres.location import is_postgres

_NAMES = click.Choice(list(CHECKS))


def _list_checks(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if not is_wanted or ctx.resilient_parsing:
        return
    output = Output(is_json=False)
    width = max(map(len, CHECKS))
    for name, about in CHECKS.items():
        output.line(f"{name:<{width}}  {about}", {})
    ctx.exit()


@click.command(
    short_help="Find hazards of a database.",
    epilog="""\b
Examples:
  honker doctor shop.db
  honker doctor shop.tasks:app --json
  honker doctor postgresql://admin@host/shop
  honker doctor shop.db --ignore sqlite-version --ignore dead-letters
  honker doctor --list

On PostgreSQL, run it as the role that owns the schema "honker"; another one sees less.

With MODULE:APP it also finds schedules of tasks that the application does not have.

Exit codes: 0 nothing found, 1 findings or database error, 2 usage error.""",
)
@database_argument
@click.option(
    "--ignore", "ignored", type=_NAMES, multiple=True, metavar="CHECK", help="Leave out a check. May be repeated."
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_checks,
    help="Print the names of the checks.",
)
@json_option
def doctor(path: str, ignored: tuple[str, ...], is_json: bool) -> int:
    """Look for hazards of the database DB: each with its consequence and the next step. Changes nothing.

    Reads every table of a file, so a large one takes some seconds.
    """
    output = Output(is_json=is_json)
    is_any_found = False
    # One by one: a later check may end with an error that an earlier finding explains.
    for finding in find(path):
        if finding.check not in ignored:
            is_any_found = True
            output.line(_shown(finding), asdict(finding))
    if not is_any_found and not is_json:
        output.line("nothing found", {})
    return int(is_any_found)


def _shown(finding: Finding) -> str:
    mark = click.style("!", fg="yellow", bold=True)
    lines = f"{mark} {bright(finding.check)}: {visible(finding.fact)}", f"  {visible(finding.why)}"
    return "\n".join((*lines, f"  {faint('next:')} {visible(finding.step)}"))


def find(path: str) -> Iterator[Finding]:
    """Find the hazards of a database: a file, a URL, or that of an app.

    Raises:
        click.ClickException: The database is missing, is none, or has no honker tables.
    """
    tasks: Collection[str] | None = None
    if is_target(path):
        with open_target(path) as db:
            path, tasks = location_of_app(db), frozenset(spec.name for spec in db.registry.specs())
    if is_postgres(path):
        yield from find_in_server(path, tasks)
        return
    check_exists(path)
    # First: SQLite of the superuser changes the owner of a -wal when it opens it.
    yield from check_file(path)
    with closing(look_at(path)) as conn:
        try:
            yield from _look(conn, path, tasks)
        except sqlite3.Error as error:
            raise from_sqlite(error) from error


def _look(conn: sqlite3.Connection, path: str, tasks: Collection[str] | None) -> Iterator[Finding]:
    yield from check_libraries(path)
    damages = list(check_pages(conn))
    yield from damages
    if damages:
        return  # The other checks would read the damaged pages.
    yield from check_settings(conn)
    supported = newest_version()
    yield from check_version(conn, supported)
    if schema_version(conn) != supported:
        return  # The functions of the engine need the tables of its version.
    yield from check_copy(conn)
    yield from check_reference(conn, ask(conn, "SELECT honker_hazards()"))
    yield from check_flow(conn)
    yield from check_malformed(conn)
    yield from check_clock(conn, path)
    [(now,)] = conn.execute("SELECT honker_clock()").fetchall()
    yield from check_schedules(conn, tasks, now)
    yield from check_workers(conn)
    yield from check_queues(conn)
