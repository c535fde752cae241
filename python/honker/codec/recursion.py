"""More frames for reading than for writing.

Reading a level of a recursive type takes up to twice the frames of writing it, and a worker calls it from another depth
than the application. Without more frames, a worker could not read values that an application was able to enqueue.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

#: The factor on the limit of Python: twice the frames, and room for the depth of the caller.
_FACTOR: Final = 4


class _Limit:
    """The limit of the process while threads read.

    Attributes:
        readers: The threads that read deep values now.
        before: The limit to put back after the last.
    """

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.readers = 0
        self.before = 0


_limit: Final = _Limit()


@contextmanager
def more_frames() -> Generator[None]:
    """Raise the recursion limit in the block.

    The limit is that of all threads. Calls between Python functions take no stack of C, so a larger one endangers none.
    """
    with _limit.mutex:
        if not _limit.readers:
            _limit.before = sys.getrecursionlimit()
            sys.setrecursionlimit(_limit.before * _FACTOR)
        _limit.readers += 1
    try:
        yield
    finally:
        with _limit.mutex:
            _limit.readers -= 1
            # An application that has set another limit meanwhile keeps it.
            if not _limit.readers and sys.getrecursionlimit() == _limit.before * _FACTOR:
                sys.setrecursionlimit(_limit.before)
