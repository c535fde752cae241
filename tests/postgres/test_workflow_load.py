"""Workflows that many sessions add, work on and break at once: every job ends, and nothing is left behind."""

import json
import random
from concurrent.futures import ThreadPoolExecutor

import psycopg

SESSIONS = 4
WORKFLOWS = 5


def once_more_after_a_deadlock(work, *arguments):
    while True:
        try:
            return work(*arguments)
        except psycopg.errors.DeadlockDetected:
            continue


def add_workflow(conn, chance):
    """Three parents, two jobs that each wait for all of them, and one that waits for both."""

    def add(*after):
        options = {"max_attempts": 2}
        if after:
            options |= {"after": list(after), "on_parent_failure": chance.choice(["run", "cancel"])}
        if chance.random() < 0.5:
            options["key"] = chance.choice("ab")
        return conn.execute("SELECT honker_enqueue('q', '{}', %s)", [json.dumps(options)]).fetchone()[0]

    with conn.transaction():
        parents = [add() for _ in range(3)]
        add(add(*parents), add(*parents))


def work_round(conn, worker_id, chance, claimed):
    """Settle the jobs of the last round in any order, and claim others."""
    chance.shuffle(claimed)
    settlements = [
        {
            "id": job["id"],
            "attempt": job["attempts"],
            "do": chance.choices(["ack", "retry", "fail", "cancel"], [6, 2, 1, 1])[0],
        }
        for job in claimed
    ]
    call = "SELECT honker_work('q', %s, 5, 600, %s)"
    return json.loads(conn.execute(call, [worker_id, json.dumps(settlements)]).fetchone()[0])["jobs"]


def run_session(url, number):
    chance = random.Random(number)
    with psycopg.connect(url, autocommit=True, options="-c search_path=honker,public") as conn:
        claimed = []
        for _ in range(WORKFLOWS):
            once_more_after_a_deadlock(add_workflow, conn, chance)
            claimed = once_more_after_a_deadlock(work_round, conn, f"w{number}", chance, claimed)
        while claimed or conn.execute("SELECT count(*) FROM live").fetchone()[0]:
            claimed = once_more_after_a_deadlock(work_round, conn, f"w{number}", chance, claimed)


def test_every_job_ends_and_nothing_is_left_behind(conn, url):
    conn.execute("SELECT honker_queue_configure('q', %s)", ['{"concurrency_per_key": 2}'])
    conn.execute("SELECT honker_file_configure(%s)", ['{"counters": true}'])
    with ThreadPoolExecutor(SESSIONS) as pool:
        list(pool.map(lambda number: run_session(url, number), range(SESSIONS)))
    assert json.loads(conn.execute("SELECT honker_flow_violations(100)").fetchone()[0]) == []
    sums = json.loads(conn.execute("SELECT honker_counter_totals(NULL, NULL, 1)").fetchone()[0])[0]
    assert sums["enqueued"] == SESSIONS * WORKFLOWS * 6
    assert sums["done"] + sums["dead"] + sums["cancelled"] == sums["enqueued"]
    assert conn.execute("SELECT count(*) FROM dead").fetchone()[0] == sums["dead"]
    conn.execute("DELETE FROM dead")
    conn.execute("SELECT _prune_edges(number, 1000) FROM generate_series(1, 20) AS number")
    assert conn.execute("SELECT count(*) FROM dependencies").fetchone()[0] == 0
