"""Signal handlers of the processes that a handler forks.

A forked child has the Python signal handlers of its parent until it replaces them. A signal that arrives before would
be taken by those and lost, and `multiprocessing` would wait for ever for a child that it terminates at once. So a
thread blocks the signals while it forks. In the child they wait until the handlers are replaced.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Final

_BLOCKED: Final = (signal.SIGINT, signal.SIGTERM)


def replace_after_fork(replace: Callable[[], None]) -> None:
    """Call ``replace`` in each forked child, before a signal to the child can be handled."""
    masks = threading.local()

    def block() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)

    def unblock() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def become_ordinary() -> None:
        try:
            replace()
        finally:
            unblock()

    os.register_at_fork(before=block, after_in_parent=unblock, after_in_child=become_ordinary)
