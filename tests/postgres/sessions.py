"""Sessions that work at the same time, and calls of honker's functions in them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg

# The longest time that one test's threads may take together.
DEADLINE_S = 60


def connect(url):
    return psycopg.connect(url, autocommit=True, options="-c search_path=honker,public")


def call(conn, function, *arguments):
    """The result of a function of the reference."""
    places = ", ".join(["%s"] * len(arguments))
    return conn.execute(f"SELECT honker.{function}({places})", arguments).fetchone()[0]


def claim(conn, queue, n=1, worker_id="w", timeout_s=60):
    return json.loads(call(conn, "honker_claim_batch", queue, worker_id, n, timeout_s, 1))


def enqueue(conn, queue, payload="{}", **options):
    return call(conn, "honker_enqueue", queue, payload, json.dumps(options))


def advance(conn, seconds):
    """Move the clock of this session. It looks for lapsed leases at once, though its last look may have been slow."""
    now = conn.execute("SELECT honker._now()").fetchone()[0]
    conn.execute(f"SET honker.clock_ms = {now + int(seconds * 1000)}")
    conn.execute("SET honker.next_lapse_look = ''")


def together(url, count, work):
    """Run `work(conn, number)` in so many sessions at once. Returns the results; the first error is raised."""
    start = threading.Barrier(count)

    def run(number):
        with connect(url) as conn:
            start.wait(DEADLINE_S)
            return work(conn, number)

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(run, number) for number in range(count)]
        return [future.result(DEADLINE_S) for future in futures]
