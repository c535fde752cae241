"""A PostgreSQL server that is killed in the middle of calls: each call is there as a whole, or not at all.

A client runs calls of every kind, each one transaction, until the server and its sessions are killed by SIGKILL. After
the restart the database must hold exactly the contents after the last acknowledged call, or after the call then under
way. The same calls were run before in another database, without a death. The clock of the sessions stands still.

Seen to fail when the sessions had `synchronous_commit = off`: acknowledged calls were gone.
"""

import json
import threading

import psycopg
import pytest
from honker.postgres.install import install

from ..support.postgres_server import Server
from ..support.waiting import wait_until

CALLS = 150
NOW_MS = 1_800_000_000_000
HELD = "FROM live WHERE state = 'processing' ORDER BY id LIMIT 1"


def enqueue(**options):
    return f"SELECT honker_enqueue('q', '{{}}', '{json.dumps(options)}')"


KINDS = {
    "enqueue": [enqueue(priority=1)],
    "enqueue with a key": [enqueue(key="k")],
    "enqueue once": [enqueue(unique_key="u")],
    "enqueue a child": [
        "SELECT honker_enqueue('q', '{}', json_build_object('after', json_build_array(max(id)))::text) FROM live"
        " WHERE state <> 'waiting' HAVING max(id) > 0"
    ],
    "enqueue with its order": ["INSERT INTO orders DEFAULT VALUES", enqueue(), "SELECT notify('orders', '1')"],
    "claim": ["SELECT honker_claim_batch('q', 'w', 2, 60)"],
    "ack": [f"SELECT honker_ack(id, worker_id, attempts) {HELD}"],
    "ack with its result": [
        f"SELECT honker_result_save(id, '1', 60) {HELD}",
        f"SELECT honker_ack(id, worker_id, attempts) {HELD}",
    ],
    "retry": [f"SELECT honker_retry(id, worker_id, 0, 'again', attempts) {HELD}"],
    "fail": [f"SELECT honker_fail(id, worker_id, 'broken', attempts) {HELD}"],
    "cancel": ["SELECT honker_cancel(max(id)) FROM live HAVING max(id) > 0"],
    "requeue": ["SELECT honker_requeue(id) FROM dead ORDER BY id LIMIT 1"],
    "work": ["SELECT honker_work('q', 'w', 1, 60, '[]')"],
    "publish": ["SELECT honker_stream_publish('t', 'k', '1')"],
    "save an offset": ["SELECT honker_stream_save_offset('c', 't', honker_stream_get_offset('c', 't') + 1)"],
    "tick": ["SELECT honker_scheduler_tick(honker_scheduler_soonest())"],
    "lock": ["SELECT honker_lock_acquire('l', 'o', 60)"],
    "unlock": ["SELECT honker_lock_release('l', 'o')"],
    "limit a rate": ["SELECT honker_rate_limit_try('r', 1000, 3600)"],
}
SETTINGS = [
    """SELECT honker_queue_configure('q', '{"concurrency_per_key": 1, "keep_finished_s": 60}')""",
    "SELECT honker_scheduler_register('beat', 'ticks', '@every 60s', '{}', 0, NULL)",
]


@pytest.fixture
def own_server():
    """A server with a database that has the schema, a table of the application and settings."""
    running = Server()
    url = running.create_database("template")
    with psycopg.connect(url) as conn:
        install(conn)
        conn.execute("CREATE TABLE orders (id bigserial PRIMARY KEY)")
    with session(url) as conn:
        for statement in SETTINGS:
            conn.execute(statement)
    yield running
    running.stop()


def database(server, name):
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE template STRATEGY wal_log")
    return server.url(name)


def session(url):
    options = f"-c search_path=honker,public -c honker.clock_ms={NOW_MS}"
    return psycopg.connect(url, autocommit=True, options=options)


def run(conn, kind):
    """Run the statements of a call in a transaction. One that is refused changes nothing, as in the rehearsal."""
    try:
        with conn.transaction():
            for statement in KINDS[kind]:
                conn.execute(statement)
    except psycopg.OperationalError as error:
        if "HONKER_UNIQUE_KEY_TAKEN" not in str(error):
            raise


def contents(conn):
    """Every row of honker and of the application."""
    tables = conn.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('honker', 'public')"
    ).fetchall()
    return {name: sorted(conn.execute(f"SELECT t::text FROM {name} AS t").fetchall()) for (name,) in tables}


def rehearse(url, kinds):
    """The contents before the first call and after each."""
    with session(url) as conn:
        states = [contents(conn)]
        for kind in kinds:
            run(conn, kind)
            states.append(contents(conn))
    return states


def run_all(conn, kinds, acknowledged):
    for kind in kinds:
        run(conn, kind)
        acknowledged.append(kind)


def run_until_killed(server, url, kinds, fatal):
    """Run the calls; the server is killed as soon as so many were acknowledged. Returns how many were."""
    acknowledged = []

    def kill():
        wait_until(lambda: len(acknowledged) >= fatal, 30, every_s=0)
        server.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with session(url) as conn, pytest.raises(psycopg.OperationalError):
        run_all(conn, kinds, acknowledged)
    killer.join()
    return len(acknowledged)


@pytest.mark.torture(short_s=3, share=2)
def test_a_server_that_is_killed_in_a_call_has_it_as_a_whole_or_not_at_all(torture, own_server):
    chance = torture.random
    kinds = [*KINDS, *chance.choices([*KINDS, "enqueue", "enqueue with a key", "claim"], k=CALLS - len(KINDS))]
    states = rehearse(database(own_server, "rehearsal"), kinds)
    for number in torture.rounds(at_least=3):
        url = database(own_server, f"killed_{number}")
        done = run_until_killed(own_server, url, kinds, chance.randrange(1, CALLS - 50))
        own_server.start()
        with session(url) as conn:
            assert contents(conn) in states[done : done + 2], f"after {kinds[:done][-2:]} and in {kinds[done]}"
            run(conn, "enqueue")
        torture.count("servers killed")
