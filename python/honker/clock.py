"""Monotonic time for deadlines and intervals.

Tests replace `time.time` and `time.monotonic` by a frozen clock (freezegun does). A wait that measures its deadline by
a frozen clock never ends, so honker measures its waits by a clock that such libraries leave alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

#: Seconds since an arbitrary moment; only differences mean anything.
monotonic: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_MONOTONIC) if hasattr(time, "clock_gettime") else time.monotonic
)
