"""``python -m honker`` is the program ``honker``."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_INTERRUPTED = 128 + signal.SIGINT


def _end(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)


def main() -> NoReturn:
    """Run the command line of this process, and exit. Ctrl-C ends it without a traceback, also while it is imported."""
    # Not an exception: code that is being imported may swallow it. In the background of a shell the signal is ignored.
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default:
        signal.signal(signal.SIGINT, _end)
    from honker.cli.main import main as run  # noqa: PLC0415 - takes most of the time of a short command

    try:
        if is_default:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:  # before and after the command, which handles its own
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
