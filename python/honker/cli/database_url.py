"""The argument ``DB`` as the URL of a PostgreSQL database."""

from __future__ import annotations

import time
from contextlib import closing

import click

from honker.cli.moments import follow
from honker.database import Database, open
from honker.errors import HonkerError, InvalidArgumentError, NotBootstrappedError
from honker.postgres.driver import connect
from honker.postgres.install import is_installed
from honker.postgres.location import is_postgres, without_password


def open_existing_url(url: str, db: Database | None = None) -> Database:
    """Open a database that has the schema ``honker``. A mistyped URL creates nothing.

    Args:
        url: Its URL.
        db: The database of an app there, which is returned; None opens one.

    Raises:
        click.BadParameter: The URL is malformed, or psycopg is not installed.
        click.ClickException: The server refuses, or the database has no schema ``honker``.
    """
    try:
        with closing(connect(url)) as conn:
            if not is_installed(conn):
                raise click.ClickException(_no_schema(url))
        opened = open(url) if db is None else db
        follow(opened.engine.clock() - time.time())
    except NotBootstrappedError as error:
        raise click.ClickException(_no_schema(url)) from error
    except HonkerError as error:
        raise refused(url, error) from error
    return opened


def refused(url: str, error: HonkerError) -> click.ClickException:
    """An error at the opening of a database, for the command line."""
    if isinstance(error, InvalidArgumentError):
        return click.BadParameter(str(error), param_hint="DB")
    return click.ClickException(f"{without_password(url)!r}: {error}")


def refuse_url(path: str, instead: str) -> None:
    """Refuse a URL for a command that works on a file.

    Raises:
        click.UsageError: It is one.
    """
    if is_postgres(path):
        raise click.UsageError(f"{without_password(path)!r} is no file, and this command is about a file; {instead}")


def _no_schema(url: str) -> str:
    shown = without_password(url)
    return (
        f"{shown!r} has no schema honker, and was not changed; check the URL, or create the schema by "
        f"`honker migrate {shown}`"
    )
