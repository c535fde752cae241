"""Monotonic time for deadlines and intervals, and the time of the system.

Tests replace `time.time` and `time.monotonic` by a frozen clock (freezegun does). A wait that measures its deadline by
a frozen clock never ends. The engine reads the system's clock, so a frozen time does not agree with it. honker reads
both clocks in a way that such libraries leave alone.
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

#: Unix seconds of the system's clock.
system_time: Final[Callable[[], float]] = (
    partial(time.clock_gettime, time.CLOCK_REALTIME) if hasattr(time, "clock_gettime") else time.time
)
