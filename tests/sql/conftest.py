"""Shared fixtures of the tests of SQL functions."""

import pytest

from .database import call, claim, enqueue
from .inspecting import configure, enqueue_with, fail


@pytest.fixture
def every_state(conn):
    """A job in each state, by state."""
    configure(conn, "keyed", concurrency_per_key=1, keep_finished_s=3_600)
    configure(conn, "kept", keep_finished_s=3_600)
    found = {"done": enqueue(conn, "kept"), "cancelled": enqueue(conn, "kept"), "dead": enqueue(conn, "q")}
    claim(conn, "kept")
    call(conn, "honker_ack", found["done"], "w")
    call(conn, "honker_cancel", found["cancelled"])
    claim(conn, "q")
    fail(conn, found["dead"])
    found["running"] = enqueue_with(conn, "keyed", key="k")
    claim(conn, "keyed")
    found["blocked"] = enqueue_with(conn, "keyed", key="k")
    found["ready"] = enqueue(conn, "q")
    found["delayed"] = enqueue(conn, "q", delay=600)
    found["waiting"] = enqueue_with(conn, "q", after=[found["ready"]])
    return found
