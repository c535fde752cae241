"""The worker: a process that hashes the files whose jobs it claims."""

import contextlib
import multiprocessing
import signal
import threading
import time

import honker

from . import store
from .files import hash_file

# Few, so that a worker that dies leaves little behind; more than one, so that not every job pays for a claim.
BATCH = 8
# Commits wake a worker at once. This is how soon it notices what comes without one: a lapsed lease, a request to stop.
PATIENCE_S = 0.1


class LeaseLostError(Exception):
    """The lease lapsed before the job was done: somebody else has it now, or will."""


def run(database, worker_id, lease_s):
    """Work until SIGTERM, or until the process that started this one is gone."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with honker.open(database) as db:
        queue = store.queue(db, lease_s)
        # Subscribed before the first look: a commit between a look and a wait is not missed.
        updates = db.update_events()
        while not stop.is_set() and multiprocessing.parent_process().is_alive():
            # This look only reads, so a worker that was woken for nothing keeps nobody from writing.
            if queue.is_claimable():
                work_off(db, queue.claim_batch(worker_id, BATCH))
            else:
                updates.wait(PATIENCE_S)


def work_off(db, jobs):
    renew = Renewal(jobs)
    for job in jobs:
        # The transaction was rolled back, so nothing of it is left but the time it took.
        with contextlib.suppress(LeaseLostError):
            handle(db, job, renew)


def handle(db, job, renew):
    started_ns = time.time_ns()
    file_id = job.payload["file"]
    try:
        hashed = hash_file(store.path(db, file_id), while_reading=renew)
    except OSError as error:
        give_up(db, job, file_id, started_ns, error)
        return
    # The digest and the end of the job commit together: killed at any moment, this process leaves both or neither.
    with db.transaction() as tx:
        store.save_digest(tx, file_id, hashed)
        store.save_handling(tx, file_id, job, started_ns)
        if not job.ack(tx=tx):
            raise LeaseLostError


def give_up(db, job, file_id, started_ns, error):
    """The file is gone or cannot be read any more: another attempt would not help."""
    with db.transaction() as tx:
        store.save_problem(tx, file_id, str(error))
        store.save_handling(tx, file_id, job, started_ns)
        if not job.fail(str(error), tx=tx):
            raise LeaseLostError


class Renewal:
    """Extends the leases of a batch when a large file takes its time; called after each piece that was read."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.due = self.next_due()

    def next_due(self):
        # A third of the lease: two renewals may come late before it lapses.
        shortest_s = min((job.queue.visibility_timeout_s for job in self.jobs), default=0)
        return time.monotonic() + shortest_s / 3

    def __call__(self):
        if time.monotonic() < self.due:
            return
        for job in self.jobs:
            job.heartbeat()  # changes nothing for a job that is done, nor for one that is lost: its ack will tell
        self.due = self.next_due()
