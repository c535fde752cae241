"""Processes that die at a bad moment.

A process is killed with SIGKILL, so it cleans up nothing: inside a transaction, during commits in a row, while it holds
leases, and repeatedly with the same job. Acknowledged work must survive, and unacknowledged work must leave no trace.
The next process must not have to wait, and every job ends exactly once.
"""

import json
import time

import honker
import pytest

from ..support.engines import placed
from ..support.locking import ask, is_sound
from ..support.processes import running

IN_A_TRANSACTION = """
import sys
import honker
db = honker.open(sys.argv[1])
queue = db.queue("q")
acked = queue.claim_one("killed")
with db.transaction() as tx:
    for number in range(500):
        queue.enqueue({"n": number, "fill": "x" * 500}, tx=tx)
        tx.notify("orders", number)
        tx.execute("INSERT INTO orders VALUES (?)", [number])
    acked.ack(tx=tx)
    queue.save_result(acked.id, "done", tx=tx)
    print("inside", flush=True)
    sys.stdin.read()
"""


def lapse(path):
    """Expire every lease, as time would."""
    ask(path, "UPDATE _honker_live SET claim_expires_at = claim_expires_at - 1000 WHERE state = 'processing'")


@pytest.fixture
def orders(path):
    """A database with a table of the application and one job."""
    with honker.open(path) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE orders (n INTEGER)")
        db.queue("q").enqueue("there before")
    return path


def test_a_process_killed_inside_a_transaction_leaves_nothing_of_it_and_nobody_waiting(orders):
    with running(placed(orders, IN_A_TRANSACTION), orders) as child:
        child.expect("inside")
        child.kill()
    began = time.monotonic()
    with honker.open(orders) as db:
        with db.transaction() as tx:
            tx.execute("INSERT INTO orders VALUES (-1)")
        assert time.monotonic() - began < 2
        assert is_sound(orders)
        assert db.query("SELECT n FROM orders") == [{"n": -1}]
        assert db.query("SELECT payload, state FROM _honker_live") == [
            {"payload": '"there before"', "state": "processing"}  # its claim was committed, its ack was not
        ]
        assert db.query("SELECT * FROM _honker_notifications") == []
        assert db.query("SELECT * FROM _honker_results") == []


def test_a_process_killed_inside_a_transaction_does_not_hold_up_one_that_waits(orders):
    with running(placed(orders, IN_A_TRANSACTION), orders) as child, honker.open(orders) as db:
        child.expect("inside")
        child.kill()
        began = time.monotonic()
        db.queue("q").enqueue(1)
        assert time.monotonic() - began < 2


COMMITTING = """
import sys
import honker
db = honker.open(sys.argv[1])
queue = db.queue("q")
number = 0
while True:
    with db.transaction() as tx:
        job_id = queue.enqueue(number, tx=tx)
        tx.execute("INSERT INTO orders VALUES (?)", [job_id])
    print(job_id, flush=True)
    number += 1
"""


@pytest.mark.parametrize("after", [1, 40, 90])
def test_every_commit_that_was_acknowledged_before_a_kill_is_there_and_whole(orders, after):
    with running(placed(orders, COMMITTING), orders) as child:
        acknowledged = [int(child.line()) for _ in range(after)]
        child.kill()
        acknowledged += [int(line) for line in child.process.stdout.read().split("\n")[:-1]]
    assert is_sound(orders)
    jobs = [job_id for (job_id,) in ask(orders, "SELECT id FROM _honker_live WHERE id > 1 ORDER BY id")]
    with_orders = [job_id for (job_id,) in ask(orders, "SELECT n FROM orders ORDER BY n")]
    assert jobs == with_orders
    assert jobs[: len(acknowledged)] == acknowledged
    assert len(jobs) <= len(acknowledged) + 1  # one may have been committed and not yet reported


SHARING_COMMITS = """
import asyncio
import sys
import honker
db = honker.open(sys.argv[1], synchronous=sys.argv[2])
queue = db.queue("q")

async def write(task):
    number = 0
    while True:
        job_id = await queue.aenqueue([task, number])
        print(job_id, task, number, flush=True)
        number += 1

async def main():
    await asyncio.gather(*(write(task) for task in range(16)))

asyncio.run(main())
"""


@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
@pytest.mark.parametrize("after", [1, 100, 1_000])
def test_every_call_of_a_shared_commit_that_was_acknowledged_before_a_kill_is_there(path, after, synchronous):
    with running(SHARING_COMMITS, path, synchronous) as child:
        lines = [child.line() for _ in range(after)]
        child.kill()
        lines += child.process.stdout.read().split("\n")[:-1]
    assert integrity(path) == [("ok",)]
    acknowledged = {int(job_id): [int(task), int(number)] for job_id, task, number in map(str.split, lines)}
    jobs = {job_id: json.loads(text) for job_id, text in ask(path, "SELECT id, payload FROM _honker_live")}
    assert {job_id: jobs.get(job_id) for job_id in acknowledged} == acknowledged
    assert len(jobs) <= len(acknowledged) + 16  # one of each task may have been committed and not yet reported
    for task in range(16):
        numbers = [number for _, (one, number) in sorted(jobs.items()) if one == task]
        assert numbers == list(range(len(numbers)))


COMMITTING_ROWS = """
import sys
import honker
db = honker.open(sys.argv[1])
queue, stream = db.queue("q"), db.stream("s")
number = 0
while True:
    with db.transaction() as tx:
        tx.execute("INSERT INTO orders VALUES (?)", [number])
        for _ in range(30):
            stream.publish(number, tx=tx)
        ids = [queue.enqueue(number, tx=tx) for _ in range(30)]
    print(number, ids[-1], flush=True)
    number += 1
"""


@pytest.mark.parametrize("after", [1, 30, 70])
def test_what_waited_to_be_written_is_committed_with_the_rest_or_not_at_all(orders, after):
    """The jobs are written by the COMMIT; see `honker.sqlite.batch`."""
    with running(placed(orders, COMMITTING_ROWS), orders) as child:
        acknowledged = [child.line() for _ in range(after)]
        child.kill()
        acknowledged += child.process.stdout.read().split("\n")[:-1]
    assert is_sound(orders)
    numbers = [number for (number,) in ask(orders, "SELECT n FROM orders ORDER BY n")]
    jobs = "SELECT CAST(payload AS INTEGER), max(id), count(*) FROM _honker_live WHERE id > 1 GROUP BY 1 ORDER BY 1"
    assert ask(orders, jobs) == [(number, 31 + 30 * number, 30) for number in numbers]
    events = "SELECT CAST(payload AS INTEGER), count(*) FROM _honker_stream GROUP BY 1 ORDER BY 1"
    assert ask(orders, events) == [(number, 30) for number in numbers]
    assert [f"{number} {31 + 30 * number}" for number in numbers][: len(acknowledged)] == acknowledged
    assert len(numbers) <= len(acknowledged) + 1


WORKER = """
import sys
import honker
db = honker.open(sys.argv[1])
queue = db.queue("q", visibility_timeout_s=float(sys.argv[2]))
for job in queue.claim("worker"):
    print("claimed", job.payload, job.attempts, flush=True)
    answer = sys.stdin.readline().strip()
    if answer == "ack":
        print(job.ack(), flush=True)
"""


def test_a_killed_worker_loses_its_lease_to_another_and_nothing_else(path):
    """Its acknowledged jobs stay done. Its held job returns without help, but not before the lease has expired."""
    with honker.open(path) as db:
        queue = db.queue("q", visibility_timeout_s=0.5)
        for number in range(5):
            queue.enqueue(number)
        with running(WORKER, path, 0.5) as worker:
            for number in range(2):
                worker.expect(f"claimed {number} 1")
                worker.say("ack")
                worker.expect("True")
            worker.expect("claimed 2 1")
            ((lease_ends,),) = ask(path, "SELECT claim_expires_at FROM _honker_live WHERE state = 'processing'")
            worker.kill()
        seen = []
        for job in queue.claim("other"):
            if job.payload == 2:
                assert time.time() >= lease_ends
            seen.append((job.payload, job.attempts))
            assert job.ack()
            if len(seen) == 3:
                break
        assert sorted(seen) == [(2, 2), (3, 1), (4, 1)]
        assert db.query("SELECT * FROM _honker_jobs") == []
    assert is_sound(path)


def test_workers_killed_at_random_lose_no_job_and_run_no_acknowledged_one_twice(path):
    """Six workers die in turn, each after some acknowledgements and with a lease."""
    with honker.open(path) as db:
        queue = db.queue("q", max_attempts=100)
        for number in range(40):
            queue.enqueue(number)
        acknowledged, held = [], []
        for victim in range(6):
            with running(WORKER, path, 300) as worker:
                for _ in range(victim):
                    acknowledged.append(int(worker.line().split()[1]))
                    worker.say("ack")
                    worker.expect("True")
                held.append(int(worker.line().split()[1]))
                worker.kill()
            lapse(path)
        rest = []
        while jobs := queue.claim_batch("last", 7):
            rest.extend(job.payload for job in jobs)
            assert queue.ack_batch(jobs, "last") == len(jobs)
        assert sorted(acknowledged + rest) == list(range(40))
        assert held[-1] in rest
        assert db.query("SELECT * FROM _honker_jobs") == []


def test_a_job_that_kills_its_worker_every_time_is_dead_lettered_once(path):
    with honker.open(path) as db:
        queue = db.queue("q", max_attempts=3)
        poison = queue.enqueue("poison")
        for attempt in (1, 2, 3):
            with running(WORKER, path, 300) as worker:
                worker.expect(f"claimed poison {attempt}")
                worker.kill()
            lapse(path)
        for _ in range(3):
            assert queue.claim_one("survivor") is None
        ((job_id, attempts, error),) = ask(path, "SELECT id, attempts, last_error FROM _honker_dead")
        assert (job_id, attempts) == (poison, 3)
        assert "max attempts exceeded" in error
        assert ask(path, "SELECT * FROM _honker_live") == []
        alive = queue.enqueue("alive")
        assert queue.claim_one("survivor").id == alive


def test_a_result_and_its_ack_are_both_there_or_neither(path):
    """A kill between the two separates them if each commits alone, never if they share a transaction."""
    script = """
import sys
import honker
db = honker.open(sys.argv[1])
queue = db.queue("q")
for job in queue.claim("w"):
    with db.transaction() as tx:
        queue.save_result(job.id, job.payload, tx=tx)
        assert job.ack(tx=tx)
    print(job.id, flush=True)
"""
    with honker.open(path) as db:
        for number in range(200):
            db.queue("q").enqueue(number)
        with running(script, path) as worker:
            for _ in range(50):
                worker.line()
            worker.kill()
        with_results = [row["job_id"] for row in db.query("SELECT job_id FROM _honker_results")]
        left = [row["id"] for row in db.query("SELECT id FROM _honker_live")]
        assert len(with_results) >= 50
        assert sorted(with_results + left) == list(range(1, 201))
