"""Graphs of jobs over three processes, which are killed repeatedly while they run them.

A killed worker leaves parents at work whose children wait. Triggers of the test record each end and each start, in the
commits that make them. So the record shows in which order jobs ended, and no job may have started before its parents.

HONKER_SOAK=10000 runs that many jobs a graph; give pytest a longer --timeout with it.
"""

import json
import os
import time
from contextlib import ExitStack

from honker.task.message import envelope

from ..sql import loading
from ..support.processes import Child

MEMBERS = int(os.environ.get("HONKER_SOAK", "120"))
KILLS = max(4, MEMBERS // 1000)
PROCESSES = 3

WORKER = """
import asyncio, sys
import honker

db = honker.open(sys.argv[1])
queue = db.queue("q", visibility_timeout_s=0.5, max_attempts=1000)

@queue.task(name="well")
def well(number):
    return number

@queue.task(name="broken", retries=1)
def broken(number):
    raise ValueError(number)

print("ready", flush=True)
asyncio.run(db.run_workers(concurrency=8))
"""

RECORD = """
CREATE TABLE ended (id INTEGER PRIMARY KEY AUTOINCREMENT, job_id UNIQUE);
CREATE TRIGGER ended AFTER DELETE ON _honker_live BEGIN INSERT INTO ended (job_id) VALUES (OLD.id); END;
CREATE TABLE early (job_id, parent_id);
CREATE TRIGGER started AFTER UPDATE OF state ON _honker_live WHEN NEW.state = 'processing' BEGIN
  INSERT INTO early SELECT child_id, parent_id FROM _honker_dependencies
  WHERE child_id = NEW.id AND EXISTS (SELECT 1 FROM _honker_live WHERE id = parent_id);
END;
"""


class Graph:
    """Adds jobs, all in one transaction."""

    def __init__(self, conn):
        self.conn = conn
        self.number = 0

    def add(self, kind, count, parents=(), policy=None):
        payloads = [envelope(kind, (self.number + n,)) for n in range(count)]
        self.number += count
        flow = {"after": list(parents)} | ({"on_parent_failure": policy} if policy else {})
        attempts = 1 if kind == "broken" else 1000
        sql = "SELECT honker_enqueue_many('q', ?, NULL, NULL, 0, ?, NULL, ?)"
        row = json.dumps(payloads), attempts, json.dumps(flow) if parents else None
        return json.loads(self.conn.execute(sql, row).fetchone()[0])


def build(conn):
    """A diamond that succeeds, and a chord in the header of a chord, in which a member fails."""
    graph = Graph(conn)
    conn.execute("BEGIN IMMEDIATE")
    top = graph.add("well", 1)
    middle = graph.add("well", MEMBERS, top)
    bottom = graph.add("well", 1, middle)
    inner = graph.add("well", MEMBERS // 2) + graph.add("broken", 1)
    inner_body = graph.add("well", 1, inner)
    outer_body = graph.add("well", 1, [*graph.add("well", 5), *inner_body])
    at_last = graph.add("well", 1, [*outer_body, *bottom], "run")
    conn.execute("COMMIT")
    return {
        "top": top,
        "middle": middle,
        "bottom": bottom,
        "dead": [inner[-1], *inner_body, *outer_body],
        "last": at_last,
    }


def test_graphs_run_in_order_however_often_workers_are_killed(connect):
    conn = connect()
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA busy_timeout = 10000")
    conn.execute("SELECT honker_bootstrap()").fetchone()
    conn.executescript(RECORD)
    path = conn.execute("SELECT file FROM pragma_database_list").fetchone()[0]
    deadline = time.monotonic() + 40 + MEMBERS / 50
    with ExitStack() as stack:

        def start():
            child = Child(WORKER, path, environment={"HONKER_EXTENSION_PATH": str(loading.LIBRARY)})
            stack.callback(end, child)
            return child

        children = [start() for _ in range(PROCESSES)]
        for child in children:
            child.expect("ready")
        graph = build(conn)
        whole = sum(len(ids) for ids in graph.values()) + MEMBERS // 2
        killed = 0
        while left := conn.execute("SELECT count(*) FROM _honker_live").fetchone()[0]:
            assert time.monotonic() < deadline, f"{left} jobs are left"
            assert all(child.process.poll() is None for child in children), "a worker has ended by itself"
            assert conn.execute("SELECT honker_flow_violations(10)").fetchone() == ("[]",)
            if killed < KILLS and whole - left > killed * whole // (2 * KILLS):
                children.pop(0).kill()
                children.append(start())
                killed += 1
        assert killed == KILLS
    check(conn, graph)


def check(conn, graph):
    place = dict(conn.execute("SELECT job_id, id FROM ended").fetchall())
    assert conn.execute("SELECT * FROM early").fetchall() == []
    middle = [place[job] for job in graph["middle"]]
    assert place[graph["top"][0]] < min(middle)
    assert max(middle) < place[graph["bottom"][0]] < place[graph["last"][0]]
    dead = [job for (job,) in conn.execute("SELECT id FROM _honker_dead ORDER BY id")]
    assert dead == sorted(graph["dead"])
    assert conn.execute("SELECT honker_flow_violations(10)").fetchone() == ("[]",)
    # Dead letters keep their edges, so that a requeue of the member revives them. Nothing else is left.
    children = {child for (child,) in conn.execute("SELECT child_id FROM _honker_dependencies")}
    assert children == set(graph["dead"][1:])
    assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def end(child):
    if child.process.poll() is None:
        child.kill()
    child.process.stdin.close()
    child.process.stdout.close()
