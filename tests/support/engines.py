"""The engines that a test runs on: a SQLite file and a PostgreSQL database.

A test that uses the fixture `path` or `db` runs on both of them. One whose promise is about SQLite says so by
`pytestmark = pytest.mark.sqlite_only("the reason")`.
"""

from pathlib import Path

import psycopg
from honker.postgres.install import install
from honker.postgres.location import is_postgres
from honker.postgres.transaction import PostgresTransaction

from .waiting import wait_until

ENGINES = ("sqlite", "postgres")
# Sessions of the last test, which may hold locks that the deletion needs. The function's own wait takes 100 ms or none.
_END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
# The tables and triggers of the last test.
_FOREIGN = """
    SELECT format('DROP TABLE %I CASCADE', relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL
    SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger
    WHERE NOT tgisinternal AND (SELECT relnamespace FROM pg_class WHERE oid = tgrelid) = 'honker'::regnamespace
"""


def parametrize(metafunc):
    """Run a test on each of its engines; for the hook `pytest_generate_tests`."""
    if "engine" in metafunc.fixturenames:
        is_one = metafunc.definition.get_closest_marker("sqlite_only") is not None
        metafunc.parametrize("engine", ENGINES[:1] if is_one else ENGINES)


def location(engine, request):
    """Where the test's database is: the path of a file that does not exist yet, or the URL of an empty database."""
    if engine == "sqlite":
        return request.getfixturevalue("tmp_path") / "app.db"
    return request.getfixturevalue("shared_database").empty()


class SharedDatabase:
    """A database of the server that every test finds empty. To empty it takes 5 ms; to make another one takes 60."""

    def __init__(self, server, name="shared"):
        self.url = server.create_database(name)
        with psycopg.connect(self.url) as conn:
            install(conn)
            conn.execute(Path(__file__).with_name("sqlite_names.sql").read_text())
            conn.execute(f"ALTER DATABASE {name} SET search_path = public, sqlite_names")
        self._conn = psycopg.connect(self.url, autocommit=True)
        tables = self._names("tables", "tablename", but=("installation", "meta"))
        sequences = self._names("sequences", "sequencename")
        self._clean = ";".join(
            [f"DELETE FROM honker.{name}" for name in tables]
            + ["DELETE FROM honker.meta WHERE key <> 'min_writer_version'"]
            + [f"SELECT setval('honker.{name}', 1, false)" for name in sequences]
        )

    def empty(self):
        """End every session, delete every row and every table of the application; return the URL."""
        wait_until(lambda: not self._conn.execute(_END_SESSIONS).fetchall())
        self._conn.execute(self._clean)
        for (statement,) in self._conn.execute(_FOREIGN).fetchall():
            self._conn.execute(statement)
        return self.url

    def close(self):
        self._conn.close()

    def _names(self, kind, column, but=()):
        rows = self._conn.execute(f"SELECT {column} FROM pg_{kind} WHERE schemaname = 'honker'")
        return sorted(name for (name,) in rows if name not in but)


def placed(target, sql):
    """A statement on tables of the application in the dialect of the engine of `target`.

    Args:
        target: A path or URL, a handle or a transaction.
        sql: The statement with SQLite's placeholders, and with its ids that count by themselves.
    """
    if not (isinstance(target, PostgresTransaction) or is_postgres(str(getattr(target, "path", target)))):
        return sql
    return sql.replace("?", "%s").replace("id INTEGER PRIMARY KEY", "id bigserial PRIMARY KEY")
