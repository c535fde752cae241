"""Behind PgBouncer in transaction mode: each transaction may run in another session.

LISTEN is silently dead there, locks of sessions stay with a session that others use, and prepared statements are
missing in the next session.
"""

import contextlib
import threading
import time
from urllib.parse import urlsplit

import honker
import psycopg
import pytest

from ..support.pgbouncer import PROGRAM, PgBouncer
from ..support.waiting import wait_until
from .worker_processes import Enqueuer, check_promises, prepare, worker_processes

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")


@contextlib.contextmanager
def pooled(server, url, **options):
    """The URL of the database behind a pooler."""
    pooler = PgBouncer(server, **options)
    try:
        yield pooler.url(urlsplit(url).path[1:])
    finally:
        pooler.stop()


def test_calls_and_transactions_work_in_whatever_session(server, url):
    """Many calls of one connection, so that psycopg would prepare them, from threads that mix the sessions."""
    with pooled(server, url) as behind, honker.open(behind) as db:
        queue = db.queue("q")
        prepare(url)

        def work(number):
            for _ in range(30):
                queue.enqueue(number)
                with db.transaction() as tx:
                    queue.enqueue(number, tx=tx)
                    tx.execute("INSERT INTO effects VALUES ('exact', %s)", [number])
                db.query("SELECT count(*) FROM effects WHERE number = %s", [number])
                queue.claim_one("w").ack()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert db.query("SELECT count(*) AS count FROM honker.live") == [{"count": 6 * 30}]
        assert db.query("SELECT count(*) AS count FROM effects") == [{"count": 6 * 30}]


def test_the_listener_polls_behind_transaction_mode_and_leaves_no_lock(server, url, conn):
    with pooled(server, url) as behind, honker.open(behind) as db:
        with contextlib.closing(db.update_events()) as updates:
            wait_until(lambda: updates.stats()["mode"] == "polling")
            while not updates.wait(1):
                pass
            began = time.monotonic()
            assert updates.wait(5)
            assert time.monotonic() - began < 1
        locks = conn.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
        assert locks == (0,)


def test_the_listener_listens_behind_session_mode(server, url, conn):
    with (
        pooled(server, url, mode="session", size=10) as behind,
        honker.open(behind) as db,
        contextlib.closing(db.update_events()) as updates,
    ):
        while updates.wait(0.5):
            pass
        assert updates.stats()["mode"] == "notify"
        conn.execute("SELECT honker.honker_enqueue('q', '1', '{}')")
        assert updates.wait(5)


@pytest.mark.timeout(120)
def test_workers_behind_transaction_mode_go_on_while_sessions_are_terminated(server, url, tmp_path):
    prepare(url)
    with (
        pooled(server, url, size=6) as behind,
        worker_processes(behind, 2, tmp_path / "workers.log"),
        Enqueuer(behind) as enqueuer,
        psycopg.connect(url, autocommit=True) as killer,
    ):
        for _ in range(10):
            enqueuer.wait_for(20)
            killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2"
            )
        enqueuer.end()
        check_promises(url, enqueuer.acknowledged)
