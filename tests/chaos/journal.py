"""The journal: lines that the processes of the shop append, one file a process, outside the database's disk.

A line is written by one system call, so a killed process leaves no half of one that counts. Times are monotonic, which
all processes of a machine share and no step of the wall clock moves.
"""

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

FOLDER_VARIABLE = "SHOP_JOURNAL"
_files = {}


class Line(NamedTuple):
    """A line: its time, the process that wrote it, its kind, and its facts."""

    at: float
    pid: int
    kind: str
    facts: list[Any]


def write(kind, *facts):
    """Append a line. A forked or started child has a file of its own."""
    pid = os.getpid()
    if pid not in _files:
        path = Path(os.environ[FOLDER_VARIABLE]) / f"{pid}.journal"
        _files[pid] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(_files[pid], (json.dumps([time.monotonic(), pid, kind, facts]) + "\n").encode())


class Reader:
    """Reads the lines of all processes, those that are new since the last time."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.lines = []
        self._positions = {}

    def read(self):
        """Returns all lines, in the order of their times but for lines that are being written."""
        for path in self.folder.glob("*.journal"):
            with path.open("rb") as file:
                file.seek(self._positions.get(path, 0))
                text = file.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._positions[path] = self._positions.get(path, 0) + len(whole)
            self.lines += [Line(*json.loads(each)) for each in whole.splitlines()]
        self.lines.sort(key=lambda line: line.at)
        return self.lines
