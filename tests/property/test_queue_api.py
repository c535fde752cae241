"""Queues against their model, through the Python package: two handles of one file, blocking and asynchronous."""

import asyncio
import inspect
import json

import honker
import pytest
from honker import Job

from .profiles import explore
from .queue_machine import QueueMachine, milliseconds, seconds, settlement

pytestmark = pytest.mark.timeout(600)  # time to shrink a failing example

HANDLES = 2


class ApiQueues:
    """Two open databases; handles 2 and 3 are the same, called through the methods that begin with ``a``."""

    runner = None  # the loop of the test

    def __init__(self, place):
        self.path = place.path
        self._dbs = [honker.open(self.path) for _ in range(HANDLES)]
        self._used, self._is_async, self._tx = 0, False, None
        self._claimed = {}  # the rows of claimed jobs, to settle them through `honker.Job` of any handle

    @property
    def _db(self):
        return self._dbs[self._used]

    def use(self, handle):
        self._used, self._is_async = handle % HANDLES, handle >= HANDLES

    def reopen(self):
        self._db.close()
        self._dbs[self._used] = honker.open(self.path)

    def close(self):
        self._tx = None
        for db in self._dbs:
            db.close()

    def begin(self):
        self._tx = self._db.transaction().__enter__()

    def commit(self):
        self._tx.__exit__(None, None, None)
        self._tx = None

    def rollback(self):
        self._tx.__exit__(ValueError, ValueError("the application gave up"), None)
        self._tx = None

    def abandon(self):
        self._tx = None  # dropping the last reference ends it
        self.reopen()

    def _do(self, noun, verb, *arguments, **options):
        """A method of a queue or a job, in the open transaction, or else in the form of the handle."""
        method = getattr(noun, f"a{verb}", None)
        if self._tx is not None:
            return getattr(noun, verb)(*arguments, tx=self._tx, **options)
        if self._is_async and inspect.iscoroutinefunction(method):
            return self.runner.run(method(*arguments, **options))
        return getattr(noun, verb)(*arguments, **options)

    def enqueue(self, queue, *, delay, priority, max_attempts, expires):
        return self._do(
            self._db.queue(queue),
            "enqueue",
            {"some": "payload"},
            delay=seconds(delay) if delay else None,
            priority=priority,
            max_attempts=max_attempts,
            expires=None if expires is None else seconds(expires),
        )

    def claim(self, queue, worker, n, span):
        jobs = self._do(honker.Queue(self._db, queue, visibility_timeout_s=seconds(span)), "claim_batch", worker, n)
        self._remember(jobs)
        return [(job.id, job.attempts) for job in jobs]

    def _remember(self, jobs):
        columns = [name for name in Job.__slots__ if not name.startswith("_") and name not in {"queue", "state"}]
        for job in jobs:
            row = {name: getattr(job, name) for name in columns} | {"payload": json.dumps(job.payload)}
            self._claimed[job.id, job.worker_id, job.attempts] = job.queue_name, row

    def _settler(self, claim):
        """The object that settles a claim, and its arguments that name the claim; a `Job` needs none."""
        if claim in self._claimed:
            queue, row = self._claimed[claim]
            return Job(self._db.queue(queue), row), (), {}
        job_id, worker, attempt = claim
        return self._db.queue("whichever"), (job_id, worker), {"attempt": attempt}

    def settle(self, claim, how, delay, error):
        if how == "release":  # workers only
            return bool(self._db.engine.call("SELECT honker_release(?, ?, ?)", *claim, tx=self._tx))
        if how == "release_unknown":
            sql = "SELECT honker_release(?, ?, ?, ?, 1)"
            return bool(self._db.engine.call(sql, *claim, seconds(delay), tx=self._tx))
        given = {"ack": [], "fail": [error], "retry": [seconds(delay), error]}[how]
        settler, named, options = self._settler(claim)
        return self._do(settler, how, *named, *given, **options)

    def ack_several(self, claims):
        jobs = [settler if isinstance(settler, Job) else named[0] for settler, named, _ in map(self._settler, claims)]
        if any(claim[2] is not None and isinstance(job, int) for claim, job in zip(claims, jobs, strict=True)):
            # Claimed by a killed process: the attempt exists, but no `Job` object.
            return sum(self.settle(claim, "ack", 0, None) for claim in claims)
        return self._do(self._db.queue("whichever"), "ack_batch", jobs, claims[0][1])

    def heartbeat(self, claim, span):
        settler, named, options = self._settler(claim)
        return self._do(settler, "heartbeat", *named, seconds(span), **options)

    def heartbeat_several(self, claims, span):
        return [claim[0] for claim in claims if not self.heartbeat(claim, span)]

    def work(self, queue, worker, n, span, settlements):
        outcomes = [self._end(claim, how, delay) for claim, how, delay in settlements]
        return outcomes, self.claim(queue, worker, n, span)

    def _end(self, claim, how, delay):
        if how not in {"release", "release_unknown"}:
            return self.settle(claim, how, delay, "broken")
        given = json.dumps([settlement(claim, how, delay)])
        done = self._db.engine.call("SELECT honker_work('whichever', ?, 0, 1, ?)", claim[1], given, tx=self._tx)
        return bool(json.loads(done)["settled"][0])

    def cancel(self, job_id, queue):
        return self._do(self._db if queue is None else self._db.queue(queue), "cancel", job_id)

    def sweep(self, queue):
        return self._do(self._db.queue(queue), "sweep_expired")

    def pause(self, queue, *, is_paused):
        return self._do(self._db.queue(queue), "pause" if is_paused else "resume")

    def next_claim_at(self, queue):
        queue = self._db.queue(queue)
        at = queue.next_claim_at(tx=self._tx)
        assert queue.is_claimable(tx=self._tx) == (at is not None and at <= self._db.engine.clock())
        return milliseconds(at)

    def outcome(self, job_id):
        outcome = json.loads(self._db.engine.ask("SELECT honker_job_outcome(?)", job_id, tx=self._tx))
        job = self._db.get_job(job_id, tx=self._tx)
        assert (outcome["state"] in {"pending", "processing"}) == (job is not None)
        return outcome["state"], outcome["error"]

    def rows(self, sql):
        rows = self._db.query(sql) if self._tx is None else self._tx.query(sql)
        return [tuple(row.values()) for row in rows]


class ApiQueueMachine(QueueMachine):
    Driver = ApiQueues


@pytest.mark.torture(short_s=8, share=4)
def test_queues_through_python_do_what_their_model_does(lay, torture, monkeypatch):
    with asyncio.Runner() as runner:
        monkeypatch.setattr(ApiQueues, "runner", runner)
        explore(ApiQueueMachine, lay, torture, examples=80)
