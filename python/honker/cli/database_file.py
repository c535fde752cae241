"""The argument ``DB``: a database with honker's tables, by its file, its URL or the app of a module."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
from contextlib import closing
from typing import Final

import click

from honker.cli.database_url import open_existing_url, refuse_url
from honker.cli.moments import follow_clock
from honker.cli.target import open_target, split
from honker.database import Database, open
from honker.errors import (
    DatabaseCorruptError,
    DatabaseOpenError,
    DatabaseReadOnlyError,
    HonkerError,
    NotBootstrappedError,
    from_sqlite,
)
from honker.postgres.location import is_postgres
from honker.sqlite.connection import BUSY_TIMEOUT_S
from honker.sqlite.extension import connect
from honker.sqlite.path import file_of
from honker.sqlite.process_engine import ProcessEngine

_HAS_TABLES: Final = "SELECT EXISTS (SELECT 1 FROM main.sqlite_master WHERE name = '_honker_live')"

database_argument = click.argument("path", metavar="DB")


def is_target(path: str) -> bool:
    """True if the argument names an app, as in ``shop.tasks:app``, and no file."""
    if ":" not in path or is_postgres(path) or os.path.exists(path):
        return False
    try:
        split(path)
    except ValueError:
        return False
    return True


def location_of(path: str) -> str:
    """The path of a database file or its URL, or those of the database of an app."""
    if not is_target(path):
        return path
    with open_target(path) as db:
        return _location_of_app(db)


def path_of(path: str, instead: str) -> str:
    """The path of a database file, or of the file of an app.

    Args:
        path: The file, or the target of an app.
        instead: The way to reach the same on PostgreSQL, for the message.

    Raises:
        click.UsageError: It is a URL.
    """
    location = location_of(path)
    refuse_url(location, instead)
    return location


def open_existing(path: str, *, makes_app_file: bool = False) -> Database:
    """Open an existing database with honker's tables, or that of an app. A mistyped path or URL creates nothing.

    Args:
        path: The file, its URL, or the target of an app.
        makes_app_file: True to create the file of an app, or its tables, as its first use by the application does.

    Raises:
        click.BadParameter: The file does not exist, or the target leads to no app.
        click.ClickException: The file is not a database, the server refuses, or there are no honker tables.
    """
    db = open_target(path) if is_target(path) else None
    if db is not None and makes_app_file:
        return db
    file = path if db is None else _location_of_app(db)
    if is_postgres(file):
        return open_existing_url(file, db)
    check_exists(file)
    try:
        _look_for_honker(file)
        opened = open(file) if db is None else db
        follow_clock(opened.engine)
    except NotBootstrappedError as error:
        raise click.ClickException(_no_tables(file)) from error
    except HonkerError as error:
        raise _refused(file, error) from error
    return opened


def _location_of_app(db: Database) -> str:
    engine = db.engine
    try:
        location = engine.location if isinstance(engine, ProcessEngine) else db.path
    except HonkerError as error:
        raise click.ClickException(str(error)) from error
    return location if is_postgres(location) else str(file_of(location))


def look_at(path: str) -> sqlite3.Connection:
    """Open a file with honker's tables of any version, as it is, for reading only.

    Raises:
        click.BadParameter: The file does not exist.
        click.ClickException: The file is not a database, or has no honker tables.
    """
    check_exists(path)
    try:
        conn = connect_as_it_is(path, mode="rw" if _is_writable(path) else "ro")
    except sqlite3.Error as error:
        raise _refused(path, from_sqlite(error)) from error
    try:
        conn.execute("PRAGMA query_only = ON").fetchall()
        [(has_tables,)] = conn.execute(_HAS_TABLES).fetchall()
    except sqlite3.Error as error:
        conn.close()
        raise _refused(path, from_sqlite(error)) from error
    if not has_tables:
        conn.close()
        raise click.ClickException(_no_tables(path))
    return conn


def _is_writable(path: str) -> bool:
    """True if SQLite may remove the -wal and -shm that it creates: a connection with ``mode=ro`` leaves them."""
    return os.access(path, os.W_OK) and os.access(os.path.dirname(os.path.abspath(path)), os.W_OK)


def connect_as_it_is(path: str, mode: str) -> sqlite3.Connection:
    """A plain connection to an existing file, with the engine; it changes no setting of the file.

    Args:
        path: The file.
        mode: ``"ro"`` to read only, or ``"rw"``.
    """
    uri = f"file:{urllib.parse.quote(os.path.abspath(path))}?mode={mode}"
    return connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)


def check_exists(path: str) -> None:
    """Refuse a path without a file.

    Raises:
        click.BadParameter: There is none.
    """
    if not os.path.isfile(path):
        what = "is a directory" if os.path.isdir(path) else "does not exist"
        raise click.BadParameter(
            f"{path!r} {what}; name the database file of an application that uses honker", param_hint="DB"
        )


def _refused(path: str, error: HonkerError) -> click.ClickException:
    """An error of SQLite at the opening of a file, with the next step where there is one."""
    step = ""
    if isinstance(error, DatabaseReadOnlyError):
        step = (
            "; even to read, SQLite creates the -wal and the -shm beside a file that no process has open, so run the "
            "command as a user who may write the file and its folder"
        )
    elif isinstance(error, DatabaseOpenError) and not os.access(path, os.R_OK):
        step = "; this user may not read it"
    elif isinstance(error, DatabaseCorruptError) and error.sqlite_code != sqlite3.SQLITE_NOTADB:
        step = "; put a backup in its place by `honker restore`, or save rows by `.recover` of the sqlite3 shell"
    return click.ClickException(f"{path!r}: {error}{step}")


def _no_tables(path: str) -> str:
    return (
        f"{path!r} has no honker tables, and was not changed; check the path, or create the tables by "
        f"honker.open({path!r})"
    )


def _look_for_honker(path: str) -> None:
    """Raise `NotBootstrappedError` if the file has no honker tables. `honker.open` would create them."""
    try:
        with closing(connect_as_it_is(path, mode="ro")) as conn:
            conn.execute("SELECT honker_scheduler_soonest()").fetchall()
    except sqlite3.Error as error:
        raise from_sqlite(error) from error
