"""The walker: a process that registers the files of a directory, each together with the job to hash it."""

import itertools
import random
import time
from typing import NamedTuple

import honker

from . import store
from .files import Walk
from .patience import patiently

FILES_PER_COMMIT = 100
# The last files are committed one at a time, after the workers have caught up. Only then is the latency of a job that
# of waking a worker, without the time of earlier jobs.
TRICKLED = 200
TRICKLE_PAUSE_S = (0.005, 0.015)


class Walked(NamedTuple):
    """The number of known files, of new files, and of skipped entries by reason."""

    known: int
    new: int
    skipped: dict[str, int]


def run(database, directory, limit, lease_s, announce):
    """Walk, send `Walked` through the pipe, then register the files."""
    with honker.open(database) as db:
        queue = store.queue(db, lease_s)
        walk = Walk(directory, database)
        found = list(itertools.islice(walk, limit or None))
        known = store.paths(db)
        new = [path for path in found if path not in known]
        announce.send(Walked(len(known), len(new), dict(walk.skipped)))

        trickled = min(TRICKLED, len(new) // 4)
        backlog, trickle = new[: len(new) - trickled], new[len(new) - trickled :]
        for start in range(0, len(backlog), FILES_PER_COMMIT):
            register_surely(db, queue, backlog[start : start + FILES_PER_COMMIT])
        while patiently(queue.is_claimable):
            time.sleep(0.02)
        for path in trickle:
            time.sleep(random.uniform(*TRICKLE_PAUSE_S))
            register_surely(db, queue, [path], is_trickled=True)


def register_surely(db, queue, paths, *, is_trickled=False):
    """Register files although the server of the database may be away for a while.

    A commit during which the connection was lost may have taken effect, so what is there is looked up before the next
    attempt.
    """
    while paths:
        try:
            register(db, queue, paths, is_trickled=is_trickled)
            return
        except honker.HonkerError as error:
            if not error.is_retryable:
                raise
            known = patiently(lambda: store.paths(db))
            paths = [path for path in paths if path not in known]


def register(db, queue, paths, *, is_trickled=False):
    """Insert a row and enqueue a job for each file, in one transaction."""
    with db.transaction() as tx:
        for path in paths:
            file_id = store.insert_file(db, tx, path, is_trickled=is_trickled)
            queue.enqueue({"file": file_id}, tx=tx)
