"""A rollout: workers of the old release claim calls of a task that only the new release has.

Any of them puts such a call back, even across restarts. A worker of the new release runs it, with no attempt lost. A
call that stays unknown is dead in the end, with the reason.
"""

import honker
from honker.task.message import envelope
from honker.worker.unknown_task import PutBack

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


def remembered(path):
    """The record in the job's row, and its attempts."""
    rows = ask(path, "SELECT last_error, attempts FROM _honker_live WHERE state = 'pending'")
    return (PutBack.read(rows[0][0]), rows[0][1]) if rows else (None, 0)


def test_a_call_survives_old_workers_until_a_new_one_comes(path):
    with honker.open(path) as db, several(2, OLD, path, 3600) as old:
        queue = db.queue("q")
        for worker in old:
            worker.expect("ready")
        result = honker.TaskResult(queue.db.engine, queue.enqueue(envelope("new", (21,))))
        put_back, attempts = wait_until(lambda: (seen := remembered(path))[0] and seen)
        assert attempts == 0
        old[0].kill()
        with running(OLD, path, 3600) as restarted:
            restarted.expect("ready")
            count = put_back.count + 2
            later, _ = wait_until(lambda: (seen := remembered(path))[0] and seen[0].count >= count and seen)
            assert later.since == put_back.since
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
    assert ask(path, "SELECT attempts, last_error FROM _honker_dead") == [
        (1, "unknown task: 'new'. Registered tasks: ['old']")
    ]
