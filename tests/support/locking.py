"""Another process that holds the write lock of a database."""

import sqlite3
from contextlib import contextmanager

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


@contextmanager
def write_lock_elsewhere(path):
    """Start a process that holds the write lock. Yields a function that makes it release the lock."""
    with running(HOLDER, path) as child:
        child.expect("locked")

        def release():
            child.say()
            child.expect("released")

        yield release


def is_locked(path):
    """True if a connection holds the write lock."""
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


def ask(path, sql, *parameters):
    """The rows of a statement, on a separate connection without honker."""
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        return conn.execute(sql, parameters).fetchall()
    finally:
        conn.close()
