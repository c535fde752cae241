"""For any sequence of operations, the engine and the model have the same jobs in the same states.

Hypothesis draws enqueueing, claiming, settling (by holders, by late workers, by others of the same name), rounds of a
worker, cancelling, sweeping, pausing, transactions that are committed, rolled back or aborted, killed processes,
reopening, time that passes to the millisecond of a boundary, and clocks set by an hour either way. After each step
everything in the database is compared with the model. A driver calls the engine.
"""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from ..support.locking import is_locked
from .queue_model import Queues

HOUR_MS = 3_600_000
QUEUES, WORKERS = ["a", "b"], ["w1", "w2"]
# Shorter and longer than a second, whole and not, around an hour.
SPANS_MS = [1, 400, 999, 1000, 1500, 30_000, 60_000, HOUR_MS - 1, HOUR_MS, 5_400_500]

# The ways to name a claim: with the attempt, by the worker's name alone, or by a worker without the claim.
WAYS_TO_NAME = ["attempt", "attempt", "worker", "another worker"]

# More weight for operations that keep jobs alive and claimed, so that errors have a chance to appear.
queues = st.sampled_from(["a", "a", "a", "b"])
workers = st.sampled_from(WORKERS)
spans = st.sampled_from(SPANS_MS)
delays = st.sampled_from([0, 0, 0, 0, 0, 0, *SPANS_MS])
expiries = st.sampled_from([None, None, None, None, 0, 1, 30_000, 30_000, HOUR_MS, 5_400_500])
priorities = st.sampled_from([0, 0, 1, -1, 7])
budgets = st.sampled_from([1, 2, 3, 3, 9])
endings = st.sampled_from(["ack", "retry", "retry", "fail", "release", "release_unknown"])
job_options = st.fixed_dictionaries(
    {"queue": queues, "delay": delays, "priority": priorities, "max_attempts": budgets, "expires": expiries}
)


class QueueMachine(RuleBasedStateMachine):
    claims = Bundle("claims")  # (job, worker, attempt): current and old ones

    Driver = lay = None

    def __init__(self):
        super().__init__()
        self.place = self.lay()
        self.clock = self.place.clock
        self.driver = self.Driver(self.place)
        self.model = Queues(unit_ms=self.place.unit_ms)
        self.committed = None  # while a transaction is open: the view of other connections

    def teardown(self):
        self.driver.close()
        self.place.close()

    @property
    def now(self):
        return self.clock.now_ms

    @property
    def is_in_transaction(self):
        return self.committed is not None

    # ------------------------------------------------------------------------------------------------------- operations

    @initialize(some=st.lists(job_options, min_size=1, max_size=6))
    def some_are_there(self, some):
        self.enqueue(some)

    @rule(some=st.lists(job_options, min_size=1, max_size=4))
    def enqueue(self, some):
        for options in some:
            assert self.driver.enqueue(**options) == self.model.enqueue(self.now, **options)

    @rule(target=claims, queue=queues, worker=workers, n=st.integers(0, 4), span=spans)
    def claim(self, queue, worker, n, span):
        ids = self.model.claim(self.now, queue, worker, n, span)
        return self.remember(worker, ids, self.driver.claim(queue, worker, n, span))

    def remember(self, worker, ids, claimed):
        """Record the claims, equal in model and engine."""
        assert claimed == [(job_id, self.model.live[job_id].attempts) for job_id in ids]
        return multiple(*((job_id, worker, attempt) for job_id, attempt in claimed))

    @rule(claim=claims, by=st.sampled_from(WAYS_TO_NAME), how=endings, delay=delays)
    def settle(self, claim, by, how, delay):
        # Only the rounds of a worker release with an error, and only some calls with a delay.
        delay = delay if how in {"retry", "release_unknown"} else 0
        error = None if how in {"release", "release_unknown"} else "broken"
        claim = named(claim, by)
        expected = self.model.settle(self.now, claim, how, delay=delay, error=error)
        assert self.driver.settle(claim, how, delay, error) == expected

    @rule(target=claims, claim=claims, how=endings | st.just("heartbeat"))
    def oversleep(self, claim, how):
        """The lease expires, another claim under the same worker name gets the job, and then the first one settles."""
        job = self.model.held(self.now, claim)
        if job is None:
            return multiple()
        self.clock.move_to(job.lapses_at)
        successors = self.claim(job.queue, claim[1], 4, 30_000)
        if how == "heartbeat":
            self.heartbeat([claim], span=60_000, by="attempt")
        else:
            self.settle(claim, by="attempt", how=how, delay=0)
        return successors

    @rule(some=st.lists(claims, min_size=1, max_size=4), by=st.sampled_from(WAYS_TO_NAME))
    def ack_several(self, some, by):
        some = [named(claim, by) for claim in some if claim[1] == some[0][1]]
        expected = sum(self.model.settle(self.now, claim, "ack") for claim in some)
        assert self.driver.ack_several(some) == expected

    @rule(some=st.lists(claims, min_size=1, max_size=4), span=spans, by=st.sampled_from(WAYS_TO_NAME))
    def heartbeat(self, some, span, by):
        if len(some) == 1:
            claim = named(some[0], by)
            assert self.driver.heartbeat(claim, span) == self.model.heartbeat(self.now, claim, span)
            return
        some = [claim for claim in some if claim[1] == some[0][1]]
        lost = [claim[0] for claim in some if not self.model.heartbeat(self.now, claim, span)]
        assert self.driver.heartbeat_several(some, span) == lost

    @rule(
        target=claims,
        queue=queues,
        worker=workers,
        n=st.integers(0, 3),
        span=spans,
        some=st.lists(st.tuples(claims, endings, delays), max_size=4),
    )
    def work_a_round(self, queue, worker, n, span, some):
        some = [(claim, how, delay) for claim, how, delay in some if claim[1] == worker]
        outcomes = [self.model.settle(self.now, claim, how, delay=delay, error="broken") for claim, how, delay in some]
        ids = self.model.claim(self.now, queue, worker, n, span)
        settled, claimed = self.driver.work(queue, worker, n, span, some)
        assert settled == outcomes
        return self.remember(worker, ids, claimed)

    @rule(
        what=st.sampled_from(["cancel", "sweep", "sweep", "pause", "resume", "resume"]),
        queue=queues,
        which=st.integers(0, 9),
    )
    def operate(self, what, queue, which):
        """Operations of callers that neither enqueue nor work."""
        if what == "cancel":
            job_id, of = which + 1, [None, "a", "b"][which % 3]
            assert self.driver.cancel(job_id, of) == self.model.cancel(job_id, of)
        elif what == "sweep":
            self.let_one_expire_at_work(queue, which)
            assert self.driver.sweep(queue) == self.model.sweep(self.now, queue)
        else:
            is_paused = what == "pause"
            assert self.driver.pause(queue, is_paused=is_paused) == self.model.pause(queue, is_paused=is_paused)

    def let_one_expire_at_work(self, queue, which):
        """Move the clock, if a leased job will expire."""
        jobs = [job for _, job in self.model.of(queue) if job.is_leased(self.now) and job.expires_at]
        if jobs:
            self.clock.move_to(jobs[which % len(jobs)].expires_at)

    # ---------------------------------------------------------------------------- connections, transactions and crashes

    @precondition(lambda self: not self.is_in_transaction)
    @rule(handle=st.integers(0, 3), is_new=st.booleans())
    def go_on_elsewhere(self, handle, is_new):
        """Continue on another connection, an open one or a new one."""
        self.driver.use(handle)
        if is_new:
            self.driver.reopen()

    @precondition(lambda self: not self.is_in_transaction)
    @rule()
    def begin(self):
        self.driver.begin()
        self.committed = self.model.copy()
        if self.place.engine == "sqlite":
            assert is_locked(self.place.path)

    @precondition(lambda self: self.is_in_transaction)
    @rule(how=st.sampled_from(["commit", "commit", "rollback", "abandon"]))
    def end_the_transaction(self, how):
        """With `abandon`, the connection disappears in the middle of the transaction."""
        getattr(self.driver, how)()
        if how != "commit":
            last_id, self.model = self.model.last_id, self.committed
            self.model.last_id = self.id_after_rollback(last_id)
        self.committed = None

    def id_after_rollback(self, last_id):
        """The last id that was given; on PostgreSQL it is not given again."""
        return last_id if self.place.engine == "postgres" else self.model.last_id

    @precondition(lambda self: not self.is_in_transaction)
    @rule(target=claims, queue=queues, has_committed=st.booleans())
    def a_process_is_killed(self, queue, has_committed):
        """It enqueued and claimed in one transaction, committed or not, and never settles its claims."""
        options = {"queue": queue, "delay": 0, "priority": 0, "max_attempts": 2, "expires": None}
        steps = [
            ("honker_enqueue", queue, "{}", None, None, 0, 2, None),
            ("honker_claim_batch", queue, "w1", 2, 30),
        ]
        self.place.die_in_transaction(steps, has_committed=has_committed)
        if not has_committed:
            self.model.last_id = self.id_after_rollback(self.model.last_id + 1)
            return multiple()
        self.model.enqueue(self.now, **options)
        ids = self.model.claim(self.now, queue, "w1", 2, 30_000)
        return multiple(*((job_id, "w1", self.model.live[job_id].attempts) for job_id in ids))

    # ------------------------------------------------------------------------------------------------------------- time

    @rule(ms=spans | st.sampled_from([-HOUR_MS, HOUR_MS]))
    def time_passes(self, ms):
        """Or the clock is set, by an hour either way."""
        self.clock.move(ms)

    @rule(which=st.integers(0, 20), before=st.sampled_from([0, 0, 1]))
    def a_boundary_is_reached(self, which, before):
        """Of a delay, a lease or an expiry, or the last millisecond before it."""
        jobs = [job for _, job in sorted(self.model.live.items())]
        instants = [at for job in jobs for at in (job.run_at, job.expires_at, job.worker and job.lapses_at) if at]
        if instants:
            self.clock.move_to(instants[which % len(instants)] - before)

    @rule(target=claims, queue=queues)
    def wait_for_the_next_claim(self, queue):
        """A millisecond before the announced instant nothing can be claimed, and then a job can."""
        at = self.driver.next_claim_at(queue)
        if at is None or at <= self.now:
            return multiple()
        before = self.model.copy()
        self.clock.move_to(at - 1)
        assert self.driver.claim(queue, "w1", 1, 30_000) == []
        assert self.model.claim(self.now, queue, "w1", 1, 30_000) == []
        assert self.model == before
        self.clock.move_to(at)
        return self.claim(queue, "w1", 1, 30_000)

    # ------------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def every_job_is_as_the_model_says(self):
        for queues, execute in ((self.model, self.driver.rows), (self.committed or self.model, self.place.look)):
            assert execute(LIVE) == [
                (job_id, job.queue, job.worker, job.attempts, job.run_at, job.lease_end, job.error, job.unknown_since)
                for job_id, job in sorted(queues.live.items())
            ]
            assert dict(execute(DEAD)) == queues.dead

    @invariant()
    def every_job_is_in_one_place(self):
        places = [self.model.live.keys(), self.model.dead.keys(), self.model.acked, self.model.cancelled]
        assert sum(map(len, places)) == len(set().union(*places)) == self.model.enqueued

    @invariant()
    def attempts_never_exceed_the_budget(self):
        assert self.driver.rows(OVERDRAWN) == []

    @invariant()
    def next_claim_at_knows_when_there_is_work(self):
        for queue in QUEUES:
            assert self.driver.next_claim_at(queue) == self.model.next_claim_at(self.now, queue)

    @invariant()
    def those_who_wait_for_a_job_are_told_what_became_of_it(self):
        if self.model.last_id:
            job_id = self.model.last_id
            states, error = self.model.outcome(job_id)
            state, seen = self.driver.outcome(job_id)
            assert (state in states, seen) == (True, error)


def named(claim, by):
    """A claim as named by the caller that settles it."""
    job_id, worker, attempt = claim
    if by == "another worker":
        return job_id, next(other for other in WORKERS if other != worker), attempt
    return job_id, worker, attempt if by == "attempt" else None


def ms(column):
    return f"CAST(round({column} * 1000) AS BIGINT) AS {column}_ms"


LIVE = (
    "SELECT id, queue, CASE WHEN state = 'processing' THEN worker_id END AS worker, attempts, "
    f"{ms('run_at')}, {ms('claim_expires_at')}, last_error, {ms('unknown_since')} "
    "FROM _honker_live ORDER BY id"
)
DEAD = "SELECT id, last_error FROM _honker_dead"
OVERDRAWN = (
    "SELECT id FROM _honker_live WHERE attempts > max_attempts "
    "UNION ALL SELECT id FROM _honker_dead WHERE attempts > max_attempts"
)


def seconds(span):
    """Milliseconds in the form of callers: seconds, whole ones as an integer."""
    return span // 1000 if span % 1000 == 0 else span / 1000


def settlement(claim, how, delay):
    """The settlement of a claim as ``honker_work`` takes it."""
    job_id, _, attempt = claim
    given = {"id": job_id, "attempt": attempt, "do": how, "delay_s": seconds(delay), "error": "broken"}
    return given | {"do": "release", "is_unknown": True} if how == "release_unknown" else given


def milliseconds(instant):
    """Milliseconds from seconds of the engine; 0 and None are none."""
    return round(instant * 1000) if instant else None
