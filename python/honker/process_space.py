"""The identity of the space of process ids, so that a process looks only for ids of its own space.

Containers of one machine may share the host's name, and each has a process 1.
"""

from __future__ import annotations

import functools
import os
import socket
import sys
from pathlib import Path


@functools.cache
def host() -> str:
    """The name of this machine, at most 200 bytes."""
    return socket.gethostname().encode(errors="replace")[:200].decode(errors="ignore") or "unknown"


def process_space() -> str | None:
    """The space that the process ids here belong to; None if it cannot be told from others."""
    if sys.platform != "linux":
        return f"{sys.platform} {host()}"
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return None


def is_gone(space: str | None, pid: int) -> bool:
    """True if a process id belongs to the space of this process, and no process has it."""
    if space is None or space != process_space():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False  # It exists and belongs to another user, or the id was edited by hand.
    return False
