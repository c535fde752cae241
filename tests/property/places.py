"""Databases of the models, on SQLite or PostgreSQL: a new one for each example, under a clock that the test sets."""

import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from ..sql.contract import code_of
from ..support.engines import SharedDatabase
from ..support.locking import Plain
from .fake_clock import START_MS, FakeClock
from .victims import die_in_transaction

# The clock of all sessions is a sequence, which changes at once for all of them. Hints of a session about the head of a
# queue are good for some milliseconds, which never pass under a clock that stands still; so each call forgets them.
_CLOCK = """
CREATE SEQUENCE public.fake_clock;
CREATE OR REPLACE FUNCTION honker._now() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('honker.place', '', false), set_config('honker.front', '', false),
    set_config('honker.next_lapse_look', '', false);
  RETURN (SELECT c.last_value FROM public.fake_clock AS c);
END $$;
"""


class SqlitePlace:
    """A new file."""

    engine = "sqlite"
    #: Instants that the engine takes from its clock are whole multiples of this.
    unit_ms = 1000

    def __init__(self, now_ms=START_MS):
        self._directory = tempfile.TemporaryDirectory()
        self.path = Path(self._directory.name) / "app.db"
        self.clock = FakeClock(now_ms)
        self.connect().execute("SELECT honker_bootstrap()").fetchone()
        self._onlooker = Plain(self.path)

    def connect(self):
        """A connection of which the SQL functions are called, in autocommit."""
        conn = self.clock.connect(self.path)
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
        conn.execute("PRAGMA synchronous = OFF")
        return conn

    def look(self, sql):
        """Committed rows."""
        return self._onlooker.ask(sql)

    def kill(self, conn):
        """End a connection in whatever transaction it is."""
        conn.close()

    def die_in_transaction(self, steps, *, has_committed):
        """Call SQL functions in a transaction of a process that is killed at the end."""
        die_in_transaction(self.path, self.clock.now_ms, steps, has_committed=has_committed)

    def close(self):
        self._onlooker.close()
        self._directory.cleanup()


class ClockedDatabase(SharedDatabase):
    """A database that is emptied for each example, whose clock the test sets."""

    def __init__(self, server):
        super().__init__(server, "clocked")
        self._conn.execute(_CLOCK)

    def show(self, now_ms):
        self._conn.execute("SELECT setval('public.fake_clock', %s)", [now_ms])

    def look(self, sql):
        """Committed rows."""
        return self._conn.execute(sql).fetchall()

    def kill(self, pid):
        """End a session, and wait until its transaction is rolled back."""
        self._conn.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


class PostgresClock:
    """As `FakeClock`, for every session at the database."""

    def __init__(self, database, now_ms):
        self._database = database
        self.now_ms = now_ms
        database.show(now_ms)

    def move(self, ms):
        self.now_ms += ms
        self._database.show(self.now_ms)

    def move_to(self, ms):
        self.move(ms - self.now_ms)

    def time(self):
        return self.now_ms / 1000


class PostgresConnection:
    """A session whose statements have SQLite's placeholders, and its names of honker's tables."""

    def __init__(self, url):
        options = "-c search_path=honker,public,sqlite_names -c timezone=UTC"
        self.raw = psycopg.connect(url, autocommit=True, options=options)

    def execute(self, sql, parameters=()):
        return self.raw.execute(sql.replace("BEGIN IMMEDIATE", "BEGIN").replace("?", "%s"), parameters or None)

    def close(self):
        self.raw.close()


class PostgresPlace:
    """The emptied database."""

    engine = "postgres"
    unit_ms = 1

    def __init__(self, database, now_ms=START_MS):
        self._database = database
        self.path = database.empty()
        self.clock = PostgresClock(database, now_ms)
        self._opened = []

    def connect(self):
        conn = PostgresConnection(self.path)
        self._opened.append(conn)
        return conn

    def look(self, sql):
        return self._database.look(sql)

    def kill(self, conn):
        self._database.kill(conn.raw.info.backend_pid)
        conn.close()

    def die_in_transaction(self, steps, *, has_committed):
        """As the file's, by a session that is terminated."""
        conn = PostgresConnection(self.path)
        conn.execute("BEGIN")
        for function, *arguments in steps:
            marks = ", ".join("?" * len(arguments))
            conn.execute(f"SELECT {function}({marks})", arguments)
        if has_committed:
            conn.execute("COMMIT")
        self.kill(conn)

    def close(self):
        for conn in self._opened:
            conn.close()


@contextmanager
def refused(code, about=""):
    """Expect an error of either engine whose message begins with the code and contains `about`."""
    with pytest.raises((sqlite3.Error, psycopg.Error)) as caught:
        yield caught
    assert code_of(caught.value) == code, caught.value
    assert about in str(caught.value)
