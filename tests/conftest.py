"""Fixtures for tests that use the extension without the package, through the standard library's `sqlite3`."""

import pytest

from .sql import loading
from .support.engines import SharedDatabase, parametrize
from .support.postgres_server import Server
from .support.torture import Plugin


def pytest_configure(config):
    config.pluginmanager.register(Plugin(), "torture")


def pytest_generate_tests(metafunc):
    parametrize(metafunc)


@pytest.fixture(scope="session")
def server():
    """A PostgreSQL server."""
    running = Server()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shared_database(server):
    database = SharedDatabase(server)
    yield database
    database.close()


@pytest.fixture
def path(tmp_path):
    """The path of the test's database, which does not exist yet."""
    return tmp_path / "app.db"


@pytest.fixture
def connect(path):
    """Open connections with the extension, to the test's database by default, and close them after the test."""
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
    conn.execute("PRAGMA synchronous = OFF")  # no test here cuts the power
    conn.execute("SELECT honker_bootstrap()").fetchone()
    return conn
