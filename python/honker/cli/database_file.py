"""The argument ``DB``: a database file with honker's tables, or the app of a module."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from contextlib import closing

import click

from honker.cli.target import open_target, split
from honker.database import Database, open
from honker.errors import HonkerError, NotBootstrappedError, from_sqlite
from honker.sqlite.extension import connect

database_argument = click.argument("path", metavar="DB")


def is_target(path: str) -> bool:
    """True if the argument names an app, as in ``shop.tasks:app``, and no file."""
    if ":" not in path or os.path.exists(path):
        return False
    try:
        split(path)
    except ValueError:
        return False
    return True


def open_existing(path: str) -> Database:
    """Open an existing file with honker's tables, or the database of an app. A mistyped path creates nothing.

    Raises:
        click.BadParameter: The file does not exist, or the target leads to no app.
        click.ClickException: The file is not a database, or has no honker tables.
    """
    if is_target(path):
        return open_target(path)
    if not os.path.isfile(path):
        what = "is a directory" if os.path.isdir(path) else "does not exist"
        raise click.BadParameter(
            f"{path!r} {what}; name the database file of an application that uses honker", param_hint="DB"
        )
    try:
        _look_for_honker(path)
        return open(path)
    except NotBootstrappedError as error:
        raise click.ClickException(
            f"{path!r} has no honker tables, and was not changed; check the path, or create the tables by "
            f"honker.open({path!r})"
        ) from error
    except HonkerError as error:
        raise click.ClickException(f"{path!r}: {error}") from error


def _look_for_honker(path: str) -> None:
    """Raise `NotBootstrappedError` if the file has no honker tables. `honker.open` would create them."""
    uri = f"file:{urllib.parse.quote(os.path.abspath(path))}?mode=ro"
    try:
        with closing(connect(uri, uri=True)) as conn:
            conn.execute("SELECT honker_scheduler_soonest()").fetchall()
    except sqlite3.Error as error:
        raise from_sqlite(error) from error
