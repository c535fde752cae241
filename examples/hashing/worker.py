"""The worker: a process that hashes the files whose jobs it claims."""

import multiprocessing
import signal
import threading
import time

import honker

from . import store
from .files import hash_file
from .patience import patiently

# Small, so that a dead worker leaves few leases behind; more than one, so that jobs share the cost of a claim.
BATCH = 8
# Commits wake a worker at once. This timeout covers events without a commit: an expired lease, a request to stop.
PATIENCE_S = 0.1


class LeaseLostError(Exception):
    """The lease expired before the job was done, so another worker may have it."""


def run(database, worker_id, lease_s):
    """Work until SIGTERM, or until the parent process has ended."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with honker.open(database) as db:
        queue = store.queue(db, lease_s)
        # Subscribe before the first check, so that no commit between check and wait is missed.
        updates = db.update_events()
        while not stop.is_set() and multiprocessing.parent_process().is_alive():
            # This check only reads, so a needless wake does not block writers.
            if patiently(queue.is_claimable):
                work_off(db, patiently(lambda: queue.claim_batch(worker_id, BATCH)))
            else:
                updates.wait(PATIENCE_S)


def work_off(db, jobs):
    renew = Renewal(jobs)
    for job in jobs:
        try:
            handle(db, job, renew)
        except LeaseLostError:
            pass  # The transaction was rolled back, so only the time is lost.
        except honker.HonkerError as error:
            # The database is away. If the job's transaction was not committed, its lease lapses and it runs again.
            if not error.is_retryable:
                raise


def handle(db, job, renew):
    started_ns = time.time_ns()
    file_id = job.payload["file"]
    try:
        hashed = hash_file(store.path(db, file_id), while_reading=renew)
    except OSError as error:
        give_up(db, job, file_id, started_ns, error)
        return
    # The digest and the end of the job commit together: a kill at any moment leaves both or neither.
    with db.transaction() as tx:
        store.save_digest(db, tx, file_id, hashed)
        store.save_handling(db, tx, file_id, job, started_ns)
        if not job.ack(tx=tx):
            raise LeaseLostError


def give_up(db, job, file_id, started_ns, error):
    """Fail the job: another attempt cannot read the file either."""
    with db.transaction() as tx:
        store.save_problem(db, tx, file_id, str(error))
        store.save_handling(db, tx, file_id, job, started_ns)
        if not job.fail(str(error), tx=tx):
            raise LeaseLostError


class Renewal:
    """Extends the leases of a batch while a large file is hashed; called after each piece."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.due = self.next_due()

    def next_due(self):
        # A third of the lease, so that two renewals may be late before it expires.
        shortest_s = min((job.queue.visibility_timeout_s for job in self.jobs), default=0)
        return time.monotonic() + shortest_s / 3

    def __call__(self):
        if time.monotonic() < self.due:
            return
        for job in self.jobs:
            job.heartbeat()  # no effect on a finished or lost job: its ack reports the loss
        self.due = self.next_due()
