"""A network that hangs, and a server that takes no more connections: calls fail in time and work again afterwards."""

import contextlib
import threading
import time
from urllib.parse import urlsplit

import honker
import psycopg
import pytest
from honker.errors import ConnectionLostError, DatabaseBusyError, DatabaseOpenError

from ..support.tcp_proxy import HangingProxy
from ..support.waiting import wait_until


@pytest.fixture
def proxy(server):
    with contextlib.closing(HangingProxy(server.folder / ".s.PGSQL.5432")) as running:
        yield running


@pytest.fixture
def through(proxy, url, monkeypatch):
    """The URL through the proxy, with a watchdog that does not let tests wait for long."""
    monkeypatch.setattr("honker.postgres.watchdog.LOOK_S", 0.1)
    monkeypatch.setattr("honker.postgres.watchdog.LONG_S", 0.3)
    return f"postgresql://honker@127.0.0.1:{proxy.port}{urlsplit(url).path}?connect_timeout=2"


def test_a_call_ends_when_the_network_hangs_and_the_next_one_works(proxy, through):
    with honker.open(through) as db:
        queue = db.queue("q")
        queue.enqueue(1)
        proxy.hang()
        began = time.monotonic()
        with pytest.raises(ConnectionLostError):
            queue.enqueue(2)
        assert time.monotonic() - began < 15
        proxy.resume()
        third = queue.enqueue(3)
        # The second may have come through when the proxy went on.
        assert third in {job.id for job in queue.claim_batch("w", 3)}


def test_waiters_are_woken_after_the_network_has_hung(proxy, through, conn, monkeypatch):
    monkeypatch.setattr("honker.postgres.listener._TRY_S", 0.2)
    with honker.open(through) as db, contextlib.closing(db.update_events()) as updates:
        while updates.wait(0.3):
            pass
        proxy.hang()
        with pytest.raises(ConnectionLostError):
            db.query("SELECT 1")
        waiting = threading.Thread(target=lambda: updates.wait(None))
        waiting.start()
        waiting.join(20)
        assert not waiting.is_alive()  # woken to look, because announcements may be lost
        proxy.resume()
        wait_until(lambda: updates.stats()["connections"] >= 2, 20)
        while updates.wait(0.5):
            pass
        conn.execute("SELECT honker.honker_enqueue('q', '1', '{}')")
        assert updates.wait(5)


def test_a_statement_on_which_the_server_works_may_take_its_time(through, conn):
    with honker.open(through) as db:
        assert db.query("SELECT pg_sleep(2)") == [{"pg_sleep": ""}]
        # So may one that waits for a lock.
        conn.execute("CREATE TABLE public.orders (id bigint)")
        with conn.transaction():
            conn.execute("LOCK TABLE public.orders")
            began = threading.Thread(target=lambda: db.query("SELECT count(*) FROM orders"))
            began.start()
            began.join(1.5)
            assert began.is_alive()
        began.join(10)
        assert not began.is_alive()


def test_a_server_that_takes_no_more_connections_is_busy(server, url, conn):
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute("CREATE ROLE few LOGIN CONNECTION LIMIT 1")
        try:
            conn.execute("GRANT ALL ON SCHEMA honker TO few")
            conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA honker TO few")
            theirs = url.replace("//honker@", "//few@")
            with psycopg.connect(theirs), pytest.raises(DatabaseBusyError, match="too many connections"):
                honker.open(theirs)
            conn.execute("DROP OWNED BY few")
        finally:
            admin.execute("DROP ROLE few")


@pytest.mark.parametrize("change", [("//honker@", "//missing@"), ("/test_", "/missing_")])
def test_a_role_or_database_that_is_missing_is_no_lost_connection(url, change):
    with pytest.raises(DatabaseOpenError, match="does not exist"):
        honker.open(url.replace(*change))


def test_a_server_that_is_not_there_is_reported_at_once(tmp_path):
    began = time.monotonic()
    with pytest.raises(ConnectionLostError):
        honker.open(f"postgresql://honker@/app?host={tmp_path}")
    assert time.monotonic() - began < 5
