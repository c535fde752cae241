"""Query a database, and detect changes of it."""

import json
import sqlite3
from contextlib import contextmanager

import pytest

from .contract import code_of


def value(conn, sql, *parameters):
    """The first column of the first row."""
    return conn.execute(sql, parameters).fetchone()[0]


def rows(conn, sql, *parameters):
    return conn.execute(sql, parameters).fetchall()


def call(conn, function, *arguments):
    """The return value of the SQL function."""
    placeholders = ", ".join("?" * len(arguments))
    return value(conn, f"SELECT {function}({placeholders})", *arguments)


def call_json(conn, function, *arguments):
    return json.loads(call(conn, function, *arguments))


def enqueue(conn, queue="q", payload="{}", *, run_at=None, delay=None, priority=0, max_attempts=3, expires=None):
    return call(conn, "honker_enqueue", queue, payload, run_at, delay, priority, max_attempts, expires)


def claim(conn, queue="q", worker="w", n=1, timeout_s=60):
    return call_json(conn, "honker_claim_batch", queue, worker, n, timeout_s)


def claimed_ids(conn, *arguments, **options):
    return [job["id"] for job in claim(conn, *arguments, **options)]


def dump(conn):
    """Everything in the database: schema, rows with their storage classes, and the AUTOINCREMENT counters."""
    contents = {"sqlite_master": rows(conn, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")}
    for (table,) in rows(conn, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"):
        columns = [name for (name,) in rows(conn, "SELECT name FROM pragma_table_info(?)", table)]
        typed = ", ".join(f'typeof("{column}"), "{column}"' for column in columns)
        contents[table] = sorted(rows(conn, f'SELECT {typed} FROM "{table}"'), key=repr)
    return contents


@contextmanager
def refused(code, about=""):
    """Expect an SQLite error whose message begins with the code and contains `about`."""
    with pytest.raises(sqlite3.Error) as caught:
        yield caught
    assert code_of(caught.value) == code, caught.value
    assert about in str(caught.value)
