"""Lost connections, killed sessions and a killed server: nothing acknowledged is lost, and all go on by themselves.

Two worker processes and an enqueuer run while the server, its sessions or the network fail. A call that fails may
have taken effect; one that returned has. An effect in the transaction of a handler happens exactly once.
"""

import psycopg
import pytest

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
