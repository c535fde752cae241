"""Lost connections, killed sessions and a killed server: nothing acknowledged is lost, and all go on by themselves.

Two worker processes and an enqueuer run while the server, its sessions or the network fail. A call that fails may
have taken effect; one that returned has. An effect in the transaction of a handler happens exactly once.
"""

import contextlib

import honker
import psycopg
import pytest
from honker.errors import DatabaseReadOnlyError
from honker.postgres.install import install

from ..support.postgres_server import Server
from ..support.waiting import wait_until
from .worker_processes import Enqueuer, check_promises, prepare, worker_processes


@pytest.fixture
def own_server():
    """A server that the test may kill."""
    running = Server()
    yield running
    running.stop()


@pytest.mark.timeout(120)
def test_workers_and_enqueuers_go_on_after_kill_9_of_the_server(own_server, tmp_path):
    url = own_server.create_database("app")
    prepare(url)
    log = tmp_path / "workers.log"
    with worker_processes(url, 2, log), Enqueuer(url) as enqueuer:
        for _ in range(2):
            enqueuer.wait_for(100)
            failures = enqueuer.failures
            own_server.kill()
            wait_until(lambda before=failures: enqueuer.failures >= before + 40, 20)  # two seconds
            own_server.start()
        enqueuer.wait_for(100)
        enqueuer.end()
        check_promises(url, enqueuer.acknowledged)
    lines = log.read_text().splitlines()
    # Once by the rounds and once by the listener of each process, for each of the two failures; a round may also see
    # one connection end before the next one is refused.
    assert 0 < len([line for line in lines if "trying again" in line]) <= 8, lines
    assert 0 < len([line for line in lines if "listens to PostgreSQL is lost" in line]) <= 4, lines


@pytest.mark.timeout(120)
def test_workers_and_enqueuers_go_on_while_the_functions_are_replaced(url, tmp_path):
    """As a newer honker does that is rolled out, while processes of the older one run: also with a new argument."""
    prepare(url)
    with (
        worker_processes(url, 2, tmp_path / "workers.log"),
        Enqueuer(url) as enqueuer,
        psycopg.connect(url) as newer,
    ):
        for _ in range(5):
            enqueuer.wait_for(30)
            newer.execute("UPDATE honker.installation SET digest = 'older' WHERE part = 'functions'")
            newer.commit()
            assert install(newer)
            newer.commit()
        enqueuer.wait_for(30)
        add_an_argument(newer, "honker_enqueue")
        enqueuer.wait_for(30)
        enqueuer.end()
        assert enqueuer.failures == 0
        check_promises(url, enqueuer.acknowledged)


def add_an_argument(conn, name):
    """Replace a function by one with a further argument that has a default."""
    query = (
        "SELECT pg_get_functiondef(oid), oid::regprocedure::text FROM pg_proc WHERE proname = %s ORDER BY pronargs DESC"
    )
    definition, signature = conn.execute(query, [name]).fetchone()
    head, _, tail = definition.partition(")\n RETURNS")
    conn.execute(f"DROP FUNCTION {signature}")
    conn.execute(f"{head}, a_new_option text DEFAULT NULL)\n RETURNS{tail}")
    conn.commit()


@pytest.mark.parametrize("part", ["functions", "tables"])
def test_a_process_of_an_older_release_leaves_the_newer_functions_and_tables(url, conn, part):
    conn.execute(
        "CREATE OR REPLACE FUNCTION honker.honker_bootstrap() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'"
    )
    conn.execute("UPDATE honker.installation SET digest = 'newer' WHERE part = 'functions'")
    conn.execute("UPDATE honker.installation SET version = 1000000000 WHERE part = %s", [part])
    with honker.open(url) as db:
        db.queue("q").enqueue(1)
        assert db.queue("q").claim_one("w").ack()
    assert conn.execute("SELECT honker.honker_bootstrap()").fetchone() == (7,)


def test_a_process_of_a_newer_release_replaces_the_functions(url, conn):
    conn.execute(
        "CREATE OR REPLACE FUNCTION honker.honker_bootstrap() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'"
    )
    conn.execute("UPDATE honker.installation SET digest = 'older', version = 1 WHERE part = 'functions'")
    honker.open(url).close()
    assert conn.execute("SELECT honker.honker_bootstrap()").fetchone() == (1,)


def test_a_read_only_database_reads_and_refuses_writes(url, server):
    with honker.open(url) as db:
        db.queue("q").enqueue(1)
    read_only = url + "&options=-c%20default_transaction_read_only%3Don"
    with honker.open(read_only) as db:
        check_reads_only(db)


@pytest.mark.timeout(60)
def test_a_standby_reads_and_refuses_writes(own_server):
    url = own_server.create_database("app")
    with honker.open(url) as db:
        db.queue("q").enqueue(1)
    own_server.kill()
    (own_server.data / "standby.signal").touch()
    own_server.start()
    with honker.open(url) as db:
        check_reads_only(db)
        # It can neither listen nor announce, so its waiters look now and then.
        with contextlib.closing(db.update_events()) as updates:
            updates.wait(0.5)
            assert updates.wait(5)


def check_reads_only(db):
    assert db.query("SELECT count(*) AS count FROM honker.live") == [{"count": 1}]
    assert db.queue("q").next_claim_at() is not None
    with pytest.raises(DatabaseReadOnlyError, match="read-only"):
        db.queue("q").enqueue(2)
    with pytest.raises(DatabaseReadOnlyError, match="read-only"), db.transaction() as tx:
        db.queue("q").enqueue(2, tx=tx)


@pytest.mark.timeout(120)
def test_workers_and_enqueuers_go_on_while_sessions_are_terminated(url, tmp_path):
    prepare(url)
    with (
        worker_processes(url, 2, tmp_path / "workers.log"),
        Enqueuer(url) as enqueuer,
        psycopg.connect(url, autocommit=True) as killer,
    ):
        killed = 0
        while killed < 100:
            enqueuer.wait_for(5)
            # Any session of honker, in the middle of whatever it does: listeners and open transactions too.
            rows = killer.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'honker' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 3"
            ).fetchall()
            killed += len(rows)
        enqueuer.end()
        check_promises(url, enqueuer.acknowledged)
