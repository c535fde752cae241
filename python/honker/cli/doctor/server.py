"""``honker doctor`` of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, LiteralString, cast

import click

from honker.cli.database_url import refused
from honker.cli.doctor import server_checks
from honker.cli.doctor.finding import Finding
from honker.cli.doctor.row_checks import Rows, check_flow, check_queues, check_schedules, check_workers
from honker.errors import HonkerError
from honker.postgres.driver import connect
from honker.postgres.install import is_installed
from honker.postgres.location import without_password
from honker.postgres.statements import translated

if TYPE_CHECKING:
    import psycopg


class ServerFunctions:
    """A connection on which the functions of the engine are called as on a file."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn = conn

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Run one call of functions."""
        text, given = translated(sql, parameters)
        return self._conn.execute(cast("LiteralString", text), given)


def find_in_server(url: str, tasks: Collection[str] | None) -> Iterator[Finding]:
    """Find the hazards of a database.

    Args:
        url: Its URL.
        tasks: The tasks of the application, if it is known.

    Raises:
        click.ClickException: The server refuses, or the database has no schema ``honker``.
    """
    try:
        with closing(connect(url)) as conn:
            yield from _look(conn, url, tasks)
    except HonkerError as error:
        raise refused(url, error) from error


def _look(conn: psycopg.Connection[Any], url: str, tasks: Collection[str] | None) -> Iterator[Finding]:
    import psycopg  # noqa: PLC0415 - an extra

    from honker.postgres.failures import from_postgres  # noqa: PLC0415

    shown = without_password(url)
    try:
        if not is_installed(conn):
            raise click.ClickException(f"{shown!r} has no schema honker; `honker migrate {shown}` makes it")
        yield from server_checks.check_replica(conn)
        yield from server_checks.check_durability(conn)
        yield from server_checks.check_privileges(conn)
        yield from server_checks.check_notify(conn)
        if server_checks.may_read(conn):
            yield from server_checks.check_copy(conn)
            yield from server_checks.check_snapshots(conn)
            yield from server_checks.check_dead_rows(conn)
            outdated = list(server_checks.check_schema(conn, shown))
            yield from outdated
            if outdated:
                return  # The other checks need the functions of this version.
        functions = ServerFunctions(conn)
        yield from check_flow(functions)
        yield from check_schedules(functions, tasks, server_checks.now(conn))
        yield from check_workers(functions)
        yield from check_queues(functions)
    except psycopg.Error as error:
        raise from_postgres(error) from error
