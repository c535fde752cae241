"""Fixtures for tests that use the extension by itself, through the standard library's `sqlite3`."""

import pytest

from .sql import loading
from .support.torture import Plugin


def pytest_configure(config):
    config.pluginmanager.register(Plugin(), "torture")


@pytest.fixture
def path(tmp_path):
    """Where the test's database will be."""
    return tmp_path / "app.db"


@pytest.fixture
def connect(path):
    """Opens connections with the extension, to the test's database unless told otherwise; closes them afterwards."""
    opened = []

    def open_connection(target=path, **options):
        conn = loading.connect(target, **options)
        opened.append(conn)
        return conn

    yield open_connection
    for conn in opened:
        conn.close()


@pytest.fixture
def conn(connect):
    """A connection to a bootstrapped database in WAL mode."""
    conn = connect()
    conn.execute("PRAGMA journal_mode = WAL").fetchone()
    conn.execute("PRAGMA synchronous = OFF")  # no test here pulls the plug
    conn.execute("SELECT honker_bootstrap()").fetchone()
    return conn
