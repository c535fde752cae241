"""A clock that a test holds in its hand, read by the real engine in this very process.

The engine asks the C library for the time. A copy of the built library is told to ask somebody else instead: in the
copy the imported name ``clock_gettime`` is overwritten with a name of the same length, which a few lines of C provide.
No line of the engine differs, every millisecond is the test's, and the clock may jump in either direction under any
number of connections. Python's own clock is left alone, except in modules that are handed `FakeClock`.

Linux only: elsewhere names are bound in another way.
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
    """The engine that reads a fake clock, and what sets that."""

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
    """One for the process: a library is never unloaded."""
    return Built(tempfile.TemporaryDirectory())


class FakeClock:
    """The time of every connection that was opened with `connect`, in milliseconds; there is one in a process.

    Has what modules of the package use of ``time``, and can be put in its place there.
    """

    def __init__(self, now_ms=START_MS):
        self.now_ms = now_ms
        self._show()

    def _show(self):
        built().set_ns(self.now_ms * 1_000_000)

    def move(self, ms):
        """Lets `ms` milliseconds pass, or sets the clock back."""
        self.now_ms += ms
        self._show()

    def move_to(self, ms):
        self.move(ms - self.now_ms)

    def time(self):
        """As ``time.time``."""
        return self.now_ms / 1000

    def connect(self, path, **options):
        """A connection with the engine that reads this clock."""
        return loading.connect(path, library=built().engine, **options)
