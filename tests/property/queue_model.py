"""The contract of a queue, in memory and without SQL: the oracle of the state machines in this folder.

Instants and durations are whole milliseconds, as in the engine, so the boundaries agree to the millisecond. SQLite's
engine stores "now", and the end of a lease that was requested in whole seconds, as whole seconds.
"""

import copy
from dataclasses import dataclass, field

SECOND_MS = 1000

EXPIRED, EXHAUSTED = "expired", "max attempts exceeded"


@dataclass
class Job:
    """A waiting or leased job."""

    queue: str
    priority: int
    run_at: int
    max_attempts: int
    expires_at: int | None
    attempts: int = 0
    worker: str | None = None
    lease_end: int | None = None
    error: str | None = None
    unknown_since: int | None = None
    lapses_at: int | None = None  # the first instant after the lease

    def is_leased(self, now):
        return self.worker is not None and now < self.lapses_at

    def has_lapsed(self, now):
        return self.worker is not None and now >= self.lapses_at

    def cause_of_death(self, now):
        """The reason why it must not be claimed, or None."""
        if self.expires_at is not None and self.expires_at <= now:
            return EXPIRED
        return EXHAUSTED if self.attempts >= self.max_attempts else None

    def wait(self):
        """Return the job to the queue."""
        self.worker = self.lease_end = self.lapses_at = self.unknown_since = None


@dataclass
class Queues:
    """The jobs of all queues: each is live, dead, acked or cancelled."""

    live: dict = field(default_factory=dict)
    dead: dict = field(default_factory=dict)
    acked: set = field(default_factory=set)
    cancelled: set = field(default_factory=set)
    paused: set = field(default_factory=set)
    enqueued: int = 0
    last_id: int = 0
    unit_ms: int = SECOND_MS  # of the instants that the engine stores by itself

    def copy(self):
        return copy.deepcopy(self)

    def begun(self, now):
        """Now, as a row without a delay stores it."""
        return now - now % self.unit_ms

    def lease(self, job, now, span):
        """Set the last instant of the lease, and the first one after it.

        A lease that ends at a whole unit lasts through all of it.
        """
        job.lease_end = self.begun(now) + span if span % self.unit_ms == 0 else now + span
        job.lapses_at = job.lease_end + (self.unit_ms if job.lease_end % self.unit_ms == 0 else 1)

    def of(self, queue):
        """The jobs of a queue in claim order."""
        jobs = [(job_id, job) for job_id, job in self.live.items() if job.queue == queue]
        return sorted(jobs, key=lambda entry: (-entry[1].priority, entry[1].run_at, entry[0]))

    def bury(self, job_id, error):
        del self.live[job_id]
        self.dead[job_id] = error

    def enqueue(self, now, queue, *, delay, priority, max_attempts, expires):
        """Add a job and return its id."""
        self.enqueued, self.last_id = self.enqueued + 1, self.last_id + 1
        self.live[self.last_id] = Job(
            queue=queue,
            priority=priority,
            run_at=now + delay if delay else self.begun(now),
            max_attempts=max_attempts,
            expires_at=None if expires is None else now + expires,
        )
        return self.last_id

    def claim(self, now, queue, worker, n, span):
        """Lease jobs and return their ids, in order."""
        if n == 0 or queue in self.paused:
            return []
        for job_id, job in self.of(queue):
            if job.has_lapsed(now):
                job.wait()
                if job.cause_of_death(now):
                    self.bury(job_id, job.cause_of_death(now))
        taken = []
        for job_id, job in self.of(queue):
            if len(taken) == n:
                break
            if job.worker is not None or job.run_at > now:
                continue
            if job.cause_of_death(now):
                self.bury(job_id, job.cause_of_death(now))
                continue
            job.attempts, job.worker = job.attempts + 1, worker
            self.lease(job, now, span)
            taken.append(job_id)
        return taken

    def held(self, now, claim):
        """The job of a claim (job, worker, attempt or None), if the claim is current."""
        job_id, worker, attempt = claim
        job = self.live.get(job_id)
        if job is None or not job.is_leased(now) or job.worker != worker:
            return None
        return job if attempt in {None, job.attempts} else None

    def settle(self, now, claim, how, *, delay=None, error=None):
        """End a claim. True if it was current."""
        job = self.held(now, claim)
        if job is None:
            return False
        if how == "ack":
            del self.live[claim[0]]
            self.acked.add(claim[0])
        elif how == "fail" or (how == "retry" and job.attempts >= job.max_attempts):
            self.bury(claim[0], error)
        elif how == "retry":
            job.wait()
            job.run_at, job.error = now + delay if delay else self.begun(now), error
        else:
            since = min(job.unknown_since or now, now) if how == "release_unknown" else None
            job.wait()
            job.unknown_since = since
            job.attempts -= 1
            job.error = job.error if error is None else error
            job.run_at = now + delay if delay else job.run_at
        return True

    def heartbeat(self, now, claim, span):
        """Renew a lease. True if it was current."""
        job = self.held(now, claim)
        if job is not None:
            self.lease(job, now, span)
        return job is not None

    def cancel(self, job_id, queue):
        """Remove a job, of the queue or of any. True if it existed."""
        job = self.live.get(job_id)
        if job is None or queue not in {None, job.queue}:
            return False
        del self.live[job_id]
        self.cancelled.add(job_id)
        return True

    def sweep(self, now, queue):
        """Dead-letter the expired jobs without a current lease, and return their number."""
        expired = [
            job_id for job_id, job in self.of(queue) if job.cause_of_death(now) == EXPIRED and not job.is_leased(now)
        ]
        for job_id in expired:
            self.bury(job_id, EXPIRED)
        return len(expired)

    def pause(self, queue, *, is_paused):
        """Pause or resume. True if that changed anything."""
        changes = (queue in self.paused) != is_paused
        (self.paused.add if is_paused else self.paused.discard)(queue)
        return changes

    def next_claim_at(self, now, queue):
        """The earliest instant at which a claim finds a job; the begun second for a due one, None for never."""
        jobs = [job for _, job in self.of(queue)]
        if queue in self.paused or not jobs:
            return None
        at = min(job.run_at if job.worker is None else job.lapses_at for job in jobs)
        return at if at > now else now // 1000 * 1000

    def outcome(self, job_id):
        """The outcome for waiters: the allowed states, and the error."""
        if job_id in self.live:
            job = self.live[job_id]
            return {"pending" if job.worker is None else "processing"}, job.error
        if job_id in self.dead:
            return {"dead"}, self.dead[job_id]
        # A cancellation is kept for a day, of a clock that jumps.
        return {"cancelled", "gone"} if job_id in self.cancelled else {"gone"}, None
