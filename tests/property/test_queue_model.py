"""A queue against a model of it: whatever happens in whatever order, both know the same jobs in the same states.

Hypothesis draws sequences of enqueueing, claiming, settling (by holders, by workers that were taken for dead, and by
others of the same name), cancelling, sweeping, pausing, time passing, rollbacks and reopening. After each step the
whole content of the database is compared with the model, so every job is waiting, leased, dead, acked or cancelled,
and in one of these only.

The ordinary run takes seconds. Before a release:

    HONKER_PROPERTY=long python -m pytest tests/property
"""

import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from ..sql.clock import advance
from ..sql.database import call, call_json, rows
from ..sql.loading import connect

IS_LONG = os.environ.get("HONKER_PROPERTY") == "long"

# One unit of the model's time. Spans are half a unit short of a whole number, so that nothing the model decides is
# ever near enough to a boundary for the wall clock to disagree.
UNIT_S = 1000

queues = st.sampled_from(["a", "b"])
workers = st.sampled_from(["w1", "w2"])
units = st.integers(0, 3)
some_units = st.integers(1, 3)


def seconds(span):
    return span * UNIT_S - UNIT_S // 2


@dataclass
class Job:
    queue: str
    max_attempts: int
    due_at: int
    expires_at: int | None
    attempts: int = 0
    worker: str | None = None
    lease_ends_at: int | None = None

    def is_leased(self, now):
        return self.worker is not None and now < self.lease_ends_at

    def has_lapsed(self, now):
        return self.worker is not None and now >= self.lease_ends_at

    def is_due(self, now):
        return self.worker is None and self.due_at <= now

    def cause_of_death(self, now):
        if self.expires_at is not None and self.expires_at <= now:
            return "expired"
        return "max attempts exceeded" if self.attempts >= self.max_attempts else None


@dataclass
class Model:
    now: int = 0
    live: dict = field(default_factory=dict)
    dead: dict = field(default_factory=dict)
    acked: set = field(default_factory=set)
    cancelled: set = field(default_factory=set)
    paused: set = field(default_factory=set)

    def bury(self, job_id, error):
        del self.live[job_id]
        self.dead[job_id] = error

    def held(self, job_id, worker, attempt):
        """The job, if this is its claim."""
        job = self.live.get(job_id)
        if job is None or not job.is_leased(self.now) or job.worker != worker:
            return None
        return job if attempt in {None, job.attempts} else None

    def claim(self, queue, worker, n, lease, order):
        """The ids that a claim leases; `order` is the claim order of all live jobs."""
        if n == 0 or queue in self.paused:
            return []
        for job_id, job in list(self.live.items()):
            if job.queue == queue and job.has_lapsed(self.now):
                job.worker = job.lease_ends_at = None
                if job.cause_of_death(self.now):
                    self.bury(job_id, job.cause_of_death(self.now))
        taken = []
        for job_id in order:
            job = self.live.get(job_id)
            if len(taken) == n:
                break
            if job is None or job.queue != queue or not job.is_due(self.now):
                continue
            if job.cause_of_death(self.now):
                self.bury(job_id, job.cause_of_death(self.now))
                continue
            job.attempts, job.worker, job.lease_ends_at = job.attempts + 1, worker, self.now + lease
            taken.append(job_id)
        return taken


class QueueMachine(RuleBasedStateMachine):
    claims = Bundle("claims")  # (job, worker, attempt): those in force, and those that long are not any more

    def __init__(self):
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.model = Model()
        self.conn = self.open()
        call(self.conn, "honker_bootstrap")

    def open(self):
        conn = connect(Path(self.directory.name) / "app.db")
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
        conn.execute("PRAGMA synchronous = OFF")
        return conn

    def teardown(self):
        self.conn.close()
        self.directory.cleanup()

    # ---------------------------------------------------------------------------------------------------- operations

    @rule(
        queue=queues,
        delay=units,
        priority=st.integers(-1, 2),
        max_attempts=st.integers(1, 3),
        expires=st.none() | units,
    )
    def enqueue(self, queue, delay, priority, max_attempts, expires):
        now = self.model.now
        delay_s = None if delay == 0 else seconds(delay)
        expires_s = None if expires is None else seconds(expires)
        job_id = call(self.conn, "honker_enqueue", queue, "{}", None, delay_s, priority, max_attempts, expires_s)
        known = self.model.live.keys() | self.model.dead.keys() | self.model.acked | self.model.cancelled
        assert job_id > max(known, default=0), "an id was used again"
        self.model.live[job_id] = Job(queue, max_attempts, now + delay, None if expires is None else now + expires)

    @rule(target=claims, queue=queues, worker=workers, n=st.integers(0, 4), lease=some_units)
    def claim(self, queue, worker, n, lease):
        ids = self.model.claim(queue, worker, n, lease, self.claim_order())
        jobs = call_json(self.conn, "honker_claim_batch", queue, worker, n, seconds(lease))
        assert [job["id"] for job in jobs] == ids
        assert [job["attempts"] for job in jobs] == [self.model.live[job_id].attempts for job_id in ids]
        return multiple(*((job["id"], worker, job["attempts"]) for job in jobs))

    @rule(queue=queues, worker=workers)
    def claim_and_die_before_the_commit(self, queue, worker):
        self.conn.execute("BEGIN")
        call(self.conn, "honker_claim_batch", queue, worker, 3, 60)
        self.conn.execute("ROLLBACK")

    @rule(claim=claims, is_fenced=st.booleans())
    def ack(self, claim, is_fenced):
        job_id, *holder = self.name(claim, is_fenced)
        job = self.model.held(job_id, *holder)
        assert call(self.conn, "honker_ack", job_id, *holder) == (job is not None)
        if job:
            del self.model.live[job_id]
            self.model.acked.add(job_id)

    @rule(claim=claims, is_fenced=st.booleans(), delay=units)
    def retry(self, claim, is_fenced, delay):
        job_id, worker, attempt = self.name(claim, is_fenced)
        job = self.model.held(job_id, worker, attempt)
        result = call(self.conn, "honker_retry", job_id, worker, max(0, seconds(delay)), "again", attempt)
        assert result == (job is not None)
        if job and job.attempts >= job.max_attempts:
            self.model.bury(job_id, "again")
        elif job:
            job.worker, job.lease_ends_at, job.due_at = None, None, self.model.now + delay

    @rule(claim=claims, is_fenced=st.booleans())
    def fail(self, claim, is_fenced):
        job_id, worker, attempt = self.name(claim, is_fenced)
        job = self.model.held(job_id, worker, attempt)
        assert call(self.conn, "honker_fail", job_id, worker, "broken", attempt) == (job is not None)
        if job:
            self.model.bury(job_id, "broken")

    @rule(claim=claims, is_fenced=st.booleans(), lease=some_units)
    def heartbeat(self, claim, is_fenced, lease):
        job_id, worker, attempt = self.name(claim, is_fenced)
        job = self.model.held(job_id, worker, attempt)
        assert call(self.conn, "honker_heartbeat", job_id, worker, seconds(lease), attempt) == (job is not None)
        if job:
            job.lease_ends_at = self.model.now + lease

    @rule(job_id=st.integers(1, 12), queue=st.none() | queues)
    def cancel(self, job_id, queue):
        job = self.model.live.get(job_id)
        is_there = job is not None and queue in {None, job.queue}
        assert call(self.conn, "honker_cancel", job_id, queue) == is_there
        if is_there:
            del self.model.live[job_id]
            self.model.cancelled.add(job_id)

    @rule(queue=queues)
    def sweep(self, queue):
        now = self.model.now
        expired = [
            job_id
            for job_id, job in self.model.live.items()
            if job.queue == queue and job.cause_of_death(now) == "expired" and not job.is_leased(now)
        ]
        assert call(self.conn, "honker_sweep_expired", queue) == len(expired)
        for job_id in expired:
            self.model.bury(job_id, "expired")

    @rule(queue=queues, is_paused=st.booleans())
    def pause(self, queue, is_paused):
        changes = (queue in self.model.paused) != is_paused
        assert call(self.conn, f"honker_queue_{'pause' if is_paused else 'resume'}", queue) == changes
        (self.model.paused.add if is_paused else self.model.paused.discard)(queue)

    @rule(span=some_units)
    def time_passes(self, span):
        advance(self.conn, span * UNIT_S)
        self.model.now += span

    @rule()
    def reopen(self):
        self.conn.close()
        self.conn = self.open()

    # ---------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def every_live_job_is_as_the_model_says(self):
        seen = rows(self.conn, "SELECT id, queue, state, worker_id, attempts FROM _honker_live ORDER BY id")
        assert seen == [
            (job_id, job.queue, "processing" if job.worker else "pending", job.worker, job.attempts)
            for job_id, job in sorted(self.model.live.items())
        ]

    @invariant()
    def every_dead_job_is_as_the_model_says(self):
        assert dict(rows(self.conn, "SELECT id, last_error FROM _honker_dead")) == self.model.dead

    @invariant()
    def every_job_is_in_one_place(self):
        places = [self.model.live.keys(), self.model.dead.keys(), self.model.acked, self.model.cancelled]
        enqueued = rows(self.conn, "SELECT seq FROM sqlite_sequence WHERE name = '_honker_live'")
        assert sum(map(len, places)) == len(set().union(*places)) == (enqueued[0][0] if enqueued else 0)

    @invariant()
    def attempts_never_exceed_the_budget(self):
        for table in ("_honker_live", "_honker_dead"):
            assert rows(self.conn, f"SELECT id FROM {table} WHERE attempts > max_attempts") == []

    @invariant()
    def next_claim_at_knows_whether_there_is_work(self):
        for queue in ("a", "b"):
            at = call(self.conn, "honker_queue_next_claim_at", queue)
            jobs = [job for job in self.model.live.values() if job.queue == queue]
            if queue in self.model.paused or not jobs:
                assert at == 0
                continue
            waits = [job.lease_ends_at if job.worker else job.due_at for job in jobs]
            wait_s = (min(waits) - self.model.now) * UNIT_S
            assert at == pytest.approx(time.time() + max(0, wait_s - UNIT_S // 2), abs=UNIT_S // 4)

    # -------------------------------------------------------------------------------------------------------- reading

    def claim_order(self):
        return [
            job_id for (job_id,) in rows(self.conn, "SELECT id FROM _honker_live ORDER BY priority DESC, run_at, id")
        ]

    @staticmethod
    def name(claim, is_fenced):
        """A claim as its holder names it when settling: with the attempt, or by the worker's name alone."""
        job_id, worker, attempt = claim
        return job_id, worker, attempt if is_fenced else None


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(
    max_examples=5000 if IS_LONG else 200,
    stateful_step_count=80 if IS_LONG else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no defect
)
TestQueue.pytestmark = [pytest.mark.timeout(3600 if IS_LONG else 60)]
