"""The agents of chaos. Each does one thing to the running shop, and tells the times and the process for the ledger.

A disturbance excuses repeated effects of jobs that the process held (None: of all jobs) from its beginning to its end,
where the end includes the lapse of the leases that it leaves.
"""

import os
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from ..support.locking import is_locked
from ..support.waiting import wait_until
from .promises import LEASE_S
from .supervisor import WORKERS

FOREVER = float("inf")
# A lease in whole seconds lasts up to one longer, and its job is then claimed within moments.
LAPSE_S = LEASE_S + 2


class Disturbance(NamedTuple):
    """The excuse for repeats: the process that was disturbed, and when; and for locks that lapse early, a clock."""

    pid: int | None
    began: float
    ended: float
    is_clock: bool = False


class Chaos:
    """Chooses agents at random, and keeps the disturbances."""

    def __init__(self, supervisor, rng, disk):
        self.supervisor, self.rng, self.disk = supervisor, rng, disk
        self.disturbances = []
        self.agents = [self.kill, self.kill, self.stop, self.starve_of_descriptors, self.limit_files]
        if supervisor.clock_library is not None:
            self.agents.append(self.step_clock)
        if disk.is_own:
            self.agents.append(self.fill_disk)
        self._unused = []

    def act(self):
        """Let each agent act once, in random order, before one acts again. Returns its name, for the figures."""
        if not self._unused:
            self._unused = self.rng.sample(self.agents, len(self.agents))
        return self._unused.pop()()

    def choose(self):
        return self.supervisor.running[self.rng.choice(sorted(self.supervisor.running))]

    def last(self, seconds):
        """Let the shop run on for some seconds, and start again what ends."""
        deadline = time.monotonic() + seconds
        wait_until(lambda: self.supervisor.attend() or time.monotonic() > deadline, seconds + 30)

    def disturbed(self, pid, began, *, ended=None, is_clock=False):
        ended = time.monotonic() + LAPSE_S if ended is None else ended
        self.disturbances.append(Disturbance(pid, began, ended, is_clock))

    def kill(self):
        victim = self.choose()
        began = time.monotonic()
        victim.signal(signal.SIGKILL)
        victim.popen.wait()
        self.disturbed(victim.pid, began, ended=FOREVER)
        self.last(self.rng.uniform(0, 0.5))
        return "processes killed"

    def stop(self):
        """Stop a process for longer than a lease. It may hold the write lock meanwhile."""
        victim = self.choose()
        began = time.monotonic()
        victim.signal(signal.SIGSTOP)
        is_blocking = self.holds_the_write_lock()
        self.last(LEASE_S + self.rng.uniform(0.5, 2))
        victim.signal(signal.SIGCONT)
        self.disturbed(None if is_blocking else victim.pid, began)
        return "processes stopped for longer than a lease"

    def holds_the_write_lock(self):
        """True if the write lock is not free for a second, so the process that has just been stopped must hold it."""
        deadline = time.monotonic() + 1
        while is_locked(self.supervisor.path):
            if time.monotonic() > deadline:
                return True
        return False

    def step_clock(self):
        """Step one process's clock by an hour, and back.

        A scheduler's is set back only: ahead, it would fire the seconds of the next hour, and they would pass without.
        """
        victim = self.choose()
        is_scheduler = victim.name in {"scheduler", "standby"}
        began = time.monotonic()
        victim.set_clock(-3600 if is_scheduler else self.rng.choice([-3600, 3600]))
        self.last(self.rng.uniform(1, 3))
        victim.set_clock(0)
        # To a worker whose clock is ahead all leases of others have lapsed. Other processes take no such jobs.
        self.disturbed(None if victim.name in WORKERS else victim.pid, began, is_clock=True)
        return "clocks stepped by an hour and back"

    def starve_of_descriptors(self):
        """Leave a process as many descriptors as it has open, or one or two more."""
        spare = self.rng.randrange(3)
        return self._limit(resource.RLIMIT_NOFILE, lambda pid: _highest_descriptor(pid) + 1 + spare, "descriptors")

    def limit_files(self):
        """Let a process make no file larger than the database is, as a quota or `ulimit -f` does."""
        size = self.supervisor.path.stat().st_size
        return self._limit(resource.RLIMIT_FSIZE, lambda pid: size, "room in files")

    def _limit(self, kind, soft, what):
        victim = self.choose()
        began = time.monotonic()
        try:
            before = resource.prlimit(victim.pid, kind)
            resource.prlimit(victim.pid, kind, (soft(victim.pid), before[1]))
            self.last(self.rng.uniform(0.5, 2))
            resource.prlimit(victim.pid, kind, before)
        except (ProcessLookupError, FileNotFoundError):
            pass  # it has ended, maybe by this
        self.disturbed(victim.pid, began)
        return f"processes that ran out of {what}"

    def fill_disk(self):
        began = time.monotonic()
        with self.disk.full():
            self.last(self.rng.uniform(0.5, 2))
        self.disturbed(None, began)
        return "times the disk was full"


def _highest_descriptor(pid):
    return max(map(int, os.listdir(f"/proc/{pid}/fd")), default=2)


def build_clock(folder):
    """Build the library that steps clocks; None without a C compiler."""
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    try:
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True, timeout=60)
    except FileNotFoundError:
        return None
    return library


class Disk:
    """A small disk of its own for the database if this user may mount one, else a folder."""

    def __init__(self, folder, size="128m"):
        self.folder = folder / "disk"
        self.folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(self.folder)]
        self.is_own = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0

    def full(self):
        return Balloon(self.folder / "balloon")

    def close(self):
        if self.is_own:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Balloon:
    """A file that takes all the space that is left, for the length of a block."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        with self.path.open("wb", buffering=0) as file:
            for size in (2**20, 2**12):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def __exit__(self, *_):
        self.path.unlink()
