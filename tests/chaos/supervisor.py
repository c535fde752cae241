"""The supervisor: it starts the processes of the shop, restarts each that ended, and keeps their standard errors."""

import mmap
import os
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

from . import journal

ROOT = Path(__file__).resolve().parents[2]
SHOP = "tests.chaos.shop"
WORKER = [sys.executable, "-W", "error", "-m", "honker", "worker", f"{SHOP}:db", "--concurrency", "3", "--grace", "2"]
# The name of each process, and its command: a role, or the worker of the command line.
PROCESSES = {
    "web": "web",
    "worker": None,
    "own worker": "work",
    "scheduler": "schedule",
    "standby": "schedule",
    "consumers": "consume",
    "maintenance": "maintain",
    "operator": "operate",
}
WORKERS = ("worker", "own worker")


class Process:
    """A process of the shop, with a wall clock of its own if there is a library for that."""

    def __init__(self, name, folder, environment, clock_library):
        self.name = name
        self.is_stopped = False
        self.stderr = folder / f"{name.replace(' ', '-')}-{time.monotonic_ns()}.stderr"
        self._offset = self.stderr.with_suffix(".clock")
        self._offset.write_bytes(bytes(8))
        if clock_library is not None:
            environment = {**environment, "LD_PRELOAD": str(clock_library), "CLOCK_OFFSET": str(self._offset)}
        role = PROCESSES[name]
        with self.stderr.open("wb") as errors:
            self.popen = subprocess.Popen(
                WORKER if role is None else [sys.executable, "-W", "error", "-m", "tests.chaos.roles", role],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self.pid = self.popen.pid

    def set_clock(self, offset_s):
        """Step its wall clock to so many seconds beside the true time."""
        with self._offset.open("r+b") as file, mmap.mmap(file.fileno(), 8) as mapped:
            mapped[:] = struct.pack("q", offset_s)

    def signal(self, number):
        self.popen.send_signal(number)


class Supervisor:
    """The processes by name. A process is started again as soon as `attend` sees that it has ended."""

    def __init__(self, path, folder, clock_library):
        self.path, self.folder, self.clock_library = path, folder, clock_library
        self.journal = folder / "journal"
        self.backups = folder / "backups"
        self.stderrs = folder / "stderr"
        for each in (self.journal, self.backups, self.stderrs):
            each.mkdir()
        self.environment = {
            **os.environ,
            journal.FOLDER_VARIABLE: str(self.journal),
            "SHOP_DB": str(path),
            "SHOP_BACKUPS": str(self.backups),
            "NO_COLOR": "1",
        }
        self._reader = journal.Reader(self.journal)
        self.running = {}
        # (name, pid, exit code) of each that has ended.
        self.ended = []

    def start(self, name):
        self.running[name] = Process(name, self.stderrs, self.environment, self.clock_library)
        return self.running[name]

    def start_all(self, names=tuple(PROCESSES)):
        for name in names:
            self.start(name)

    def attend(self):
        """Start the processes again that have ended."""
        for name, process in list(self.running.items()):
            code = process.popen.poll()
            if code is not None:
                self.ended.append((name, process.pid, code))
                self.start(name)

    def stop(self, name, number=signal.SIGTERM, timeout_s=30):
        """End a process for good. Raises if it does not end in time."""
        process = self.running.pop(name)
        process.signal(signal.SIGCONT)
        process.signal(number)
        self.ended.append((name, process.pid, process.popen.wait(timeout_s)))

    def stop_all(self):
        for name in list(self.running):
            self.stop(name)

    def abandon(self):
        """Kill everything: the test has failed."""
        for process in self.running.values():
            process.signal(signal.SIGKILL)
            process.popen.wait()

    def lines(self):
        return self._reader.read()

    def survivors(self):
        """Processes of the shop that exist although all should have ended, such as handler processes."""
        marker = f"SHOP_DB={self.path}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    variables = (entry / "environ").read_bytes().split(b"\0")
                    if marker in variables and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                        found.append((int(entry.name), (entry / "cmdline").read_text()))
                except OSError:
                    continue
        return found
