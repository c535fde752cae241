"""A workflow over three processes that are killed repeatedly: its values are exact, and each callback runs once.

A killed worker leaves parents whose results are not written, and children that have read results and not ended. Both
run again in another process, and a child takes each result once, in the declared order.
"""

import time
from contextlib import ExitStack

import honker
from honker import chain, chord, group
from honker.postgres.location import is_postgres

from ..support.engines import placed
from ..support.locking import ask, is_sound
from ..support.processes import Child

PARTS = 40
KILLS = 6
PROCESSES = 3

TASKS = """
import asyncio, sys
import honker

db = honker.open(sys.argv[1])
queue = db.queue("q", visibility_timeout_s=0.5, max_attempts=1000)

@queue.task(name="number")
async def number(n):
    await asyncio.sleep(0.02)
    return n

# The workflow itself carries the results of these.
@queue.task(name="square", store_result=False)
def square(n):
    return n * n

@queue.task(name="pair", retries=1000)
async def pair(left, right):
    await asyncio.sleep(0.02)
    return [left, right]

@queue.task(name="called_back")
def called_back(tx: honker.Transaction, values, event):
    tx.execute("INSERT INTO callbacks VALUES (?, ?)", (event, len(values)))
"""

WORKER = f"""{TASKS}
print("ready", flush=True)
asyncio.run(db.run_workers(concurrency=4))
"""


def enqueue(db):
    queue = db.queue("q", max_attempts=1000)

    # Calls by name: the workers have the functions.
    @queue.task(name="number", retries=1000)
    def number(n): ...

    @queue.task(name="square", retries=1000)
    def square(n): ...

    @queue.task(name="pair", retries=1000)
    def pair(left, right): ...

    @queue.task(name="called_back", retries=1000)
    def called_back(values, event): ...

    parts = group(chain(number.s(n), square.s()) for n in range(PARTS))
    return (
        db.workflow("kills")
        .add("parts", parts)
        .add("more", chord([number.s(n) for n in range(PARTS)], pair.s("tail")))
        .add("pair", pair.s(), after=["more", "parts"])
        .on_success(called_back.s(event="success"))
        .on_failure(called_back.s(event="failure"))
        .on_finish(called_back.s(event="finish"))
        .enqueue()
    )


def test_the_values_of_a_workflow_are_exact_however_often_workers_are_killed(path):
    honker.registry().clear()
    deadline = time.monotonic() + 40
    with honker.open(path) as db, ExitStack() as stack:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE callbacks (event TEXT, jobs INTEGER)")

        def start():
            child = Child(placed(path, WORKER), path)
            stack.callback(end, child)
            return child

        children = [start() for _ in range(PROCESSES)]
        for child in children:
            child.expect("ready")
        result = enqueue(db)
        whole, killed = len(result.ids), 0
        while left := ask(path, "SELECT count(*) FROM _honker_live")[0][0]:
            assert time.monotonic() < deadline, f"{left} jobs are left: {result.states()}"
            assert all(child.process.poll() is None for child in children), "a worker has ended by itself"
            if killed < KILLS and whole - left > killed * whole // (2 * KILLS):
                children.pop(0).kill()
                children.append(start())
                killed += 1
        assert killed == KILLS
        assert set(result.states().values()) == {"done"}
        squares, numbers = [n * n for n in range(PARTS)], list(range(PARTS))
        assert result.get(5) == {"pair": [[numbers, "tail"], squares]}
    # The failure callback had nothing to do.
    assert sorted(ask(path, "SELECT event, jobs FROM callbacks")) == [("finish", whole - 3), ("success", 3)]
    assert ask(path, "SELECT count(*) FROM _honker_dead") == [(0,)]
    assert ask(path, "SELECT count(*) FROM _honker_dependencies") == [(0,)]
    if not is_postgres(path):  # there an end may stay until a later job meets it, see flow/settle.sql
        assert ask(path, "SELECT count(*) FROM _honker_outcomes") == [(0,)]
    assert is_sound(path)


def end(child):
    if child.process.poll() is None:
        child.kill()
    child.process.stdin.close()
    child.process.stdout.close()
