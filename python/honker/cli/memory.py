"""The memory of this process."""

from __future__ import annotations

import os
import resource
import sys


def resident_bytes() -> int:
    """The resident memory of this process; its peak where the system does not tell the present amount."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
