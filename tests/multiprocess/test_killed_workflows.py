"""Graphs of jobs over three processes, which are killed repeatedly while they run them.

A killed worker leaves parents at work whose children wait. Triggers of the test record each end and each start, in the
commits that make them. So the record shows in which order jobs ended, and no job may have started before its parents.

HONKER_SOAK=10000 runs that many jobs a graph; give pytest a longer --timeout with it.
"""

import os
import time
from contextlib import ExitStack

import honker
from honker.task.message import envelope

from ..support.engines import placed
from ..support.locking import ask, is_sound
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

RECORD = {
    "sqlite": (
        "CREATE TRIGGER ended AFTER DELETE ON _honker_live BEGIN INSERT INTO ended (job_id) VALUES (OLD.id); END",
        """CREATE TRIGGER started AFTER UPDATE OF state ON _honker_live WHEN NEW.state = 'processing' BEGIN
             INSERT INTO early SELECT child_id, parent_id FROM _honker_dependencies
             WHERE child_id = NEW.id AND EXISTS (SELECT 1 FROM _honker_live WHERE id = parent_id);
           END""",
    ),
    "postgres": (
        """CREATE OR REPLACE FUNCTION public.ended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO public.ended (job_id) VALUES (OLD.id);
             RETURN NULL;
           END $$""",
        "CREATE TRIGGER ended AFTER DELETE ON honker.live FOR EACH ROW EXECUTE FUNCTION public.ended()",
        """CREATE OR REPLACE FUNCTION public.started() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO public.early SELECT d.child_id, d.parent_id FROM honker.dependencies AS d
             WHERE d.child_id = NEW.id AND EXISTS (SELECT 1 FROM honker.live AS l WHERE l.id = d.parent_id);
             RETURN NULL;
           END $$""",
        """CREATE TRIGGER started AFTER UPDATE OF state ON honker.live FOR EACH ROW WHEN (NEW.state = 'processing')
           EXECUTE FUNCTION public.started()""",
    ),
}


class Graph:
    """Adds jobs, all in one transaction."""

    def __init__(self, queue, tx):
        self._queue, self._tx = queue, tx
        self.number = 0

    def add(self, kind, count, parents=(), policy=None):
        payloads = [envelope(kind, (self.number + n,)) for n in range(count)]
        self.number += count
        flow = {"after": list(parents)} | ({"on_parent_failure": policy} if policy else {})
        attempts = 1 if kind == "broken" else 1000
        return self._queue.enqueue_many(payloads, max_attempts=attempts, tx=self._tx, **(flow if parents else {}))


def build(db, tx):
    """A diamond that succeeds, and a chord in the header of a chord, in which a member fails."""
    graph = Graph(db.queue("q"), tx)
    top = graph.add("well", 1)
    middle = graph.add("well", MEMBERS, top)
    bottom = graph.add("well", 1, middle)
    inner = graph.add("well", MEMBERS // 2) + graph.add("broken", 1)
    inner_body = graph.add("well", 1, inner)
    outer_body = graph.add("well", 1, [*graph.add("well", 5), *inner_body])
    at_last = graph.add("well", 1, [*outer_body, *bottom], "run")
    return {
        "top": top,
        "middle": middle,
        "bottom": bottom,
        "dead": [inner[-1], *inner_body, *outer_body],
        "last": at_last,
    }


def test_graphs_run_in_order_however_often_workers_are_killed(engine, path):
    db = honker.open(path)
    with db.transaction() as tx:
        tx.execute(placed(tx, "CREATE TABLE ended (id INTEGER PRIMARY KEY, job_id INTEGER UNIQUE)"))
        tx.execute("CREATE TABLE early (job_id INTEGER, parent_id INTEGER)")
        for statement in RECORD[engine]:
            tx.execute(statement)
    deadline = time.monotonic() + 40 + MEMBERS / 50
    with ExitStack() as stack:
        stack.enter_context(db)

        def start():
            child = Child(WORKER, path)
            stack.callback(end, child)
            return child

        children = [start() for _ in range(PROCESSES)]
        for child in children:
            child.expect("ready")
        with db.transaction() as tx:
            graph = build(db, tx)
        whole = sum(len(ids) for ids in graph.values()) + MEMBERS // 2
        killed = 0
        while left := ask(path, "SELECT count(*) FROM _honker_live")[0][0]:
            assert time.monotonic() < deadline, f"{left} jobs are left"
            assert all(child.process.poll() is None for child in children), "a worker has ended by itself"
            assert violations(db) == "[]"
            if killed < KILLS and whole - left > killed * whole // (2 * KILLS):
                children.pop(0).kill()
                children.append(start())
                killed += 1
        assert killed == KILLS
        assert violations(db) == "[]"
        check(path, graph)


def violations(db):
    return db.engine.ask("SELECT honker_flow_violations(10)")


def check(path, graph):
    place = dict(ask(path, "SELECT job_id, id FROM ended"))
    assert ask(path, "SELECT * FROM early") == []
    middle = [place[job] for job in graph["middle"]]
    assert place[graph["top"][0]] < min(middle)
    assert max(middle) < place[graph["bottom"][0]] < place[graph["last"][0]]
    dead = [job for (job,) in ask(path, "SELECT id FROM _honker_dead ORDER BY id")]
    assert dead == sorted(graph["dead"])
    # Dead letters keep their edges, so that a requeue of the member revives them. Nothing else is left.
    children = {child for (child,) in ask(path, "SELECT child_id FROM _honker_dependencies")}
    assert children == set(graph["dead"][1:])
    assert is_sound(path)


def end(child):
    if child.process.poll() is None:
        child.kill()
    child.process.stdin.close()
    child.process.stdout.close()
