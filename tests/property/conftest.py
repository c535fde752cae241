"""Places for the models, and the compared values of the state machines' assertions, as in tests."""

from functools import partial

import pytest
from honker.postgres.clock import ServerClock

from .fake_clock import IS_POSSIBLE, built
from .places import ClockedDatabase, PostgresPlace, SqlitePlace

pytest.register_assert_rewrite("tests.property.queue_machine")


@pytest.fixture(scope="session")
def clocked_database(server):
    database = ClockedDatabase(server)
    yield database
    database.close()


@pytest.fixture
def lay(engine, request, monkeypatch):
    """Make an empty database under a clock that the test sets: a `SqlitePlace` or a `PostgresPlace`."""
    if engine == "postgres":
        monkeypatch.setattr(ServerClock, "now", lambda clock: clock._ask() / 1000)
        return partial(PostgresPlace, request.getfixturevalue("clocked_database"))
    if not IS_POSSIBLE:
        pytest.skip("needs a C compiler on Linux to fake the engine's clock")
    monkeypatch.setenv("HONKER_EXTENSION_PATH", str(built().engine))
    return SqlitePlace
