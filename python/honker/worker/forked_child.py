"""The end of a child that a handler has forked, and in which it returns.

The child is a copy of the worker in the middle of its work. If it went on, it would settle the job a second time, or
wait for ever for threads that do not exist in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys

logger = logging.getLogger("honker")


def leave_if_forked(process_id: int, error: BaseException | None = None) -> None:
    """End this process if it is not the one that a handler was called in.

    The exit code is 0 if the handler has returned in it, that of ``sys.exit``, and 1 after another error.

    Args:
        process_id: The process that the handler was called in.
        error: The exception of the handler.
    """
    if os.getpid() == process_id:
        return
    code = 0 if error is None else 1
    try:
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        else:
            logger.error(
                "a handler has forked process %d and %s in it; the process ends here. End it by os._exit() in the "
                "handler",
                os.getpid(),
                "returned" if error is None else "raised an error",
                exc_info=error,
            )
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    finally:
        os._exit(code & 0xFF)
