"""Other processes and sessions at a database: one that keeps writers waiting, and one that reads and changes rows."""

import re
import sqlite3
from contextlib import closing, contextmanager

import psycopg
from honker.postgres.location import is_postgres

from .engines import placed
from .processes import running

HOLDER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
conn.execute("COMMIT")
print("released", flush=True)
"""

# A column of SQLite's, and a keyword of PostgreSQL's.
_OFFSET = re.compile(r'(?<!")\boffset\b(?!")')


@contextmanager
def write_lock_elsewhere(path):
    """Keep every writer waiting, by another process or session. Yields a function that lets them go on."""
    if is_postgres(path):
        with psycopg.connect(path) as conn:
            tables = conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'honker'").fetchall()
            conn.execute(f"LOCK TABLE {', '.join(f'honker.{name}' for (name,) in tables)} IN EXCLUSIVE MODE")
            yield conn.commit
        return
    with running(HOLDER, path) as child:
        child.expect("locked")

        def release():
            child.say()
            child.expect("released")

        yield release


def is_locked(path):
    """True if a connection holds the write lock; on PostgreSQL, if a session is in a transaction that has written."""
    if is_postgres(path):
        return (
            ask(path, "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL")
            != []
        )
    conn = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return True
    else:
        conn.execute("ROLLBACK")
        return False
    finally:
        conn.close()


class Plain:
    """A connection without honker, in autocommit, with SQLite's placeholders and names of tables on both engines.

    On PostgreSQL the tables of honker have the same names and units here, see sqlite_names.sql.
    """

    def __init__(self, path):
        self._path, self._is_postgres = path, is_postgres(path)
        if self._is_postgres:
            self._conn = psycopg.connect(path, autocommit=True)
        else:
            self._conn = sqlite3.connect(path, isolation_level=None, timeout=30)

    def ask(self, sql, *parameters):
        """The rows of a statement."""
        cursor = self.execute(sql, *parameters)
        return cursor.fetchall() if cursor.description else []

    def execute(self, sql, *parameters):
        if self._is_postgres:
            sql = _OFFSET.sub('"offset"', placed(self._path, sql))
            return self._conn.execute(sql, parameters or None)
        return self._conn.execute(sql, parameters)

    def close(self):
        self._conn.close()


def ask(path, sql, *parameters):
    """The rows of a statement, on a separate `Plain` connection."""
    with closing(Plain(path)) as conn:
        return conn.ask(sql, *parameters)


def is_sound(path):
    """True if SQLite finds the file whole, or no invariant of honker is broken in the PostgreSQL database."""
    if is_postgres(path):
        return ask(path, "SELECT honker.honker_flow_violations(100)") == [("[]",)]
    return ask(path, "PRAGMA integrity_check") == [("ok",)]
