"""Tests of applications that use honker: the real engine on a temporary file, and its clock in the test's hands.

``with clock(app) as c: c.advance("3h")`` moves the time of the file, and ``drain(app)`` runs the jobs that are due. The
pytest plugin `honker.testing.plugin` has the fixtures ``honker_app``, ``honker_db`` and ``honker_clock``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from honker.testing.crashing import acrash, crash
    from honker.testing.draining import Drained, adrain, drain
    from honker.testing.enqueued_jobs import EnqueuedJob, assert_enqueued, enqueued, refute_enqueued
    from honker.testing.file_clock import Clock, clock
    from honker.testing.files import new_file, temporary_app, temporary_database
    from honker.testing.inline_mode import inline
    from honker.testing.performing import aperform, perform
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

#: The modules of these names, which are imported at first use: pytest imports this package in every project.
_MODULES: Final = {
    "Clock": "file_clock",
    "Drained": "draining",
    "EnqueuedJob": "enqueued_jobs",
    "acrash": "crashing",
    "adrain": "draining",
    "aperform": "performing",
    "assert_enqueued": "enqueued_jobs",
    "clock": "file_clock",
    "crash": "crashing",
    "drain": "draining",
    "enqueued": "enqueued_jobs",
    "inline": "inline_mode",
    "new_file": "files",
    "perform": "performing",
    "refute_enqueued": "enqueued_jobs",
    "temporary_app": "files",
    "temporary_database": "files",
    "wait_for": "waiting",
    "wait_for_sync": "waiting",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
