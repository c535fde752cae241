"""Count the system calls of another Python process with strace."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress

import pytest

# The lock that a write transaction takes in WAL mode: byte 120 of the WAL index (WAL_WRITE_LOCK of SQLite's wal.c).
_WRITE_LOCK = re.compile(r"F_SETLKW?6?4?, \{l_type=F_WRLCK, l_whence=SEEK_SET, l_start=120, l_len=1\}")


class Traced:
    """A process under strace; `process` is strace itself, whose standard streams are the script's."""

    def __init__(self, process, log):
        self.process = process
        self._log = log

    def line(self):
        """Wait for the next line of its output."""
        return self.process.stdout.readline().rstrip("\n")

    def write_lock_count(self):
        """Count its attempts to take SQLite's write lock, granted or not."""
        return len(_WRITE_LOCK.findall(self._log.read_text()))

    def lock_call_count(self):
        """Count the locks of any kind that it took or released. Each read of the database takes some."""
        return self._log.read_text().count("\n")


@contextmanager
def traced(log, script, *arguments):
    """Run a `Traced` script for the length of the block, and kill it if it still runs at the end."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("needs strace")
    command = [strace, "-f", "-e", "trace=fcntl", "-o", log, sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield Traced(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a script outlives its strace
        process.stdout.close()
        process.wait()
