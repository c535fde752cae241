"""An open database for tests of the package, and a small busy timeout for those that wait for it to pass."""

import honker
import pytest
from honker import connection, turn


@pytest.fixture
def db(path):
    """A database, closed after the test."""
    with honker.open(path) as opened:
        yield opened


@pytest.fixture
def queue(db):
    return db.queue("q")


@pytest.fixture
def impatient(monkeypatch):
    """Whoever waits for a lock is told soon that it did not come."""
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.3)
    monkeypatch.setattr(turn, "TURN_TIMEOUT_S", 3.0)
