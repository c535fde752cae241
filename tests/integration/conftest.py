"""Shared fixtures of the package's tests: an open database and its nouns, and an empty task registry."""

import honker
import pytest
from honker.sqlite import connection, write_lock as turn

from ..support.engines import location
from ..support.feeds import WAYS
from ..support.schedules import EXPIRES_S, HOUR_S


@pytest.fixture(autouse=True)
def _clean_registry():
    """Forget the tasks of earlier tests, which use the same names."""
    honker.registry()._by_name.clear()
    yield
    honker.registry()._by_name.clear()


@pytest.fixture
def path(engine, request):
    """Where the test's database is: the path of a file that does not exist yet, or the URL of an empty database."""
    return location(engine, request)


@pytest.fixture
def db(engine, path):
    """A database, closed after the test. It enforces foreign keys, whose deferred ones make a COMMIT fail."""
    with honker.open(path, foreign_keys=True if engine == "sqlite" else None) as opened:
        yield opened


@pytest.fixture
def queue(db):
    return db.queue("q")


@pytest.fixture
def impatient(monkeypatch):
    """Make lock timeouts short."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.3)
    monkeypatch.setattr(turn, "WRITE_LOCK_TIMEOUT_S", 3.0)


@pytest.fixture
def scheduler(db):
    return honker.Scheduler(db)


@pytest.fixture
def hourly(scheduler):
    """A scheduler with a schedule that does not fire during the test."""
    scheduler.add(name="hourly", queue="q", schedule=honker.every_s(HOUR_S), payload="hourly", expires=EXPIRES_S)
    return scheduler


@pytest.fixture
def stream(db):
    return db.stream("t")


@pytest.fixture(params=WAYS)
def take(request):
    """Take the next item of a subscription or a listener; run with each way of waiting."""
    return WAYS[request.param]
