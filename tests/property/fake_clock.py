"""A clock under the control of the test, read by the real engine in this process.

The engine gets the time from the C library. In a copy of the built library, the imported name ``clock_gettime`` is
overwritten with a name of the same length, which a few lines of C provide. No line of the engine differs, the test
controls every millisecond, and the clock may jump in either direction under any number of connections. Python's own
clock is unchanged, except in modules that get `FakeClock`.

Linux only: other systems bind names in another way.
"""

import ctypes
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..sql import loading

START_MS = 1_800_000_000_000

IS_POSSIBLE = sys.platform == "linux" and (shutil.which("cc") or shutil.which("gcc")) is not None

_IMPORTED, _PROVIDED = b"clock_gettime", b"model_gettime"

_SOURCE = r"""
#include <time.h>
static long long now_ns;
void model_set_ns(long long ns) { now_ns = ns; }
int model_gettime(clockid_t clock, struct timespec *time) {
    if (clock != CLOCK_REALTIME) return clock_gettime(clock, time);
    time->tv_sec = now_ns / 1000000000;
    time->tv_nsec = now_ns % 1000000000;
    return 0;
}
"""


class Built:
    """The engine that reads a fake clock, and the functions to set the clock."""

    def __init__(self, folder):
        self._folder = folder  # deleted with this object
        source, provider = Path(folder.name) / "clock.c", Path(folder.name) / "libclock.so"
        source.write_text(_SOURCE)
        compiler = shutil.which("cc") or shutil.which("gcc")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", provider, source], check=True)
        engine = loading.LIBRARY.read_bytes()
        whole_name = b"\0%b\0"
        assert whole_name % _IMPORTED in engine, "the engine does not ask the C library for the time"
        self.provider = provider
        self.engine = Path(folder.name) / loading.LIBRARY.name
        self.engine.write_bytes(engine.replace(whole_name % _IMPORTED, whole_name % _PROVIDED))
        # Global, and before the engine is loaded, so that the engine finds the name.
        self.set_ns = ctypes.CDLL(str(provider), mode=ctypes.RTLD_GLOBAL).model_set_ns
        self.set_ns.argtypes = [ctypes.c_longlong]


@functools.cache
def built():
    """Build once per process: a library is never unloaded."""
    return Built(tempfile.TemporaryDirectory())


class FakeClock:
    """The time of every connection opened with `connect`, in milliseconds; a process has one such clock.

    It has the functions of ``time`` that modules of the package use, and can replace it there.
    """

    def __init__(self, now_ms=START_MS):
        self.now_ms = now_ms
        self._show()

    def _show(self):
        built().set_ns(self.now_ms * 1_000_000)

    def move(self, ms):
        """Let `ms` milliseconds pass, or set the clock back."""
        self.now_ms += ms
        self._show()

    def move_to(self, ms):
        self.move(ms - self.now_ms)

    def time(self):
        """As ``time.time``."""
        return self.now_ms / 1000

    def connect(self, path, **options):
        """Open a connection with the engine that reads this clock."""
        return loading.connect(path, library=built().engine, **options)
