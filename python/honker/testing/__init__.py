"""Tests of applications that use honker: the real engine on a temporary file, and its clock in the test's hands.

``with clock(app) as c: c.advance("3h")`` moves the time of the file, and ``drain(app)`` runs the jobs that are due. The
pytest plugin `honker.testing.plugin` has the fixtures ``honker_app``, ``honker_db`` and ``honker_clock``.
"""

from honker.testing.clock import Clock, clock
from honker.testing.crash import acrash, crash
from honker.testing.drain import Drained, adrain, drain
from honker.testing.enqueued import EnqueuedJob, assert_enqueued, enqueued, refute_enqueued
from honker.testing.files import new_file, temporary_app, temporary_database
from honker.testing.inline import inline
from honker.testing.perform import aperform, perform
from honker.testing.waiting import wait_for, wait_for_sync

__all__ = [
    "Clock",
    "Drained",
    "EnqueuedJob",
    "acrash",
    "adrain",
    "aperform",
    "assert_enqueued",
    "clock",
    "crash",
    "drain",
    "enqueued",
    "inline",
    "new_file",
    "perform",
    "refute_enqueued",
    "temporary_app",
    "temporary_database",
    "wait_for",
    "wait_for_sync",
]
