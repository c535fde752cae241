"""Figures of the operating system about this process: threads, descriptors, memory."""

import os
from pathlib import Path

WATCHER = "honker-watch"


def thread_names():
    names = []
    for task in Path("/proc/self/task").iterdir():
        try:
            names.append((task / "comm").read_text().strip())
        except OSError:  # it has ended
            continue
    return names


def watcher_threads():
    """The number of watchers in this process."""
    return thread_names().count(WATCHER)


def descriptors():
    """The number of open descriptors."""
    return len(os.listdir("/proc/self/fd"))


def resident_kib():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("the kernel says nothing about memory")
