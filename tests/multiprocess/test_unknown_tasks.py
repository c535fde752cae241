"""A rollout: workers of the old release claim calls of a task that only the new release has.

Any of them puts such a call back, even across restarts. A worker of the new release runs it, with no attempt lost. A
call that stays unknown is dead in the end, with the reason.
"""

import honker
from honker.task.message import envelope

from ..support.locking import ask
from ..support.processes import running, several
from ..support.waiting import wait_until

OLD = """
import asyncio, sys
import honker
db = honker.open(sys.argv[1])
@db.queue("q", visibility_timeout_s=1).task(name="old")
def old(): ...
print("ready", flush=True)
asyncio.run(db.run_workers(concurrency=2, unknown_task_s=float(sys.argv[2])))
"""
NEW = OLD.replace(
    "@db", '@db.queue("q", visibility_timeout_s=1).task(name="new")\ndef new(n):\n    return 2 * n\n@db', 1
)


def put_back(path, after=0):
    """unknown_since, run_at and attempts of the waiting job, once it is put back until an instant after another."""
    sql = "SELECT unknown_since, run_at, attempts FROM _honker_live WHERE state = 'pending' AND unknown_since > 0"

    def found():
        return next((row for row in ask(path, sql) if row[1] > after), None)

    return wait_until(found)


def test_a_call_survives_old_workers_until_a_new_one_comes(path):
    with honker.open(path) as db, several(2, OLD, path, 3600) as old:
        queue = db.queue("q")
        for worker in old:
            worker.expect("ready")
        result = honker.TaskResult(queue.db.engine, queue.enqueue(envelope("new", (21,))))
        since, run_at, attempts = put_back(path)
        assert attempts == 0
        old[0].kill()
        with running(OLD, path, 3600) as restarted:
            restarted.expect("ready")
            # Put back again, and not only by the claim that was under way.
            for _ in range(2):
                again, run_at, attempts = put_back(path, after=run_at)
                assert (again, attempts) == (since, 0)
            with running(NEW, path, 3600) as new:
                new.expect("ready")
                for worker in (restarted, old[1]):
                    worker.kill()
                assert result.get(30) == 42
    assert ask(path, "SELECT count(*) FROM _honker_dead") == [(0,)]


def test_a_call_that_nobody_knows_is_dead_in_the_end_and_says_why(path):
    with honker.open(path) as db, several(2, OLD, path, 1) as old:
        for worker in old:
            worker.expect("ready")
        db.queue("q").enqueue(envelope("new"), max_attempts=1)
        wait_until(lambda: ask(path, "SELECT 1 FROM _honker_dead"), timeout_s=30)
    ((attempts, error),) = ask(path, "SELECT attempts, last_error FROM _honker_dead")
    assert attempts == 1
    assert error.startswith("unknown task: 'new'. Registered tasks: ['old']. Put back for other workers since 2")
    assert error.endswith(", for more than 1 s")
