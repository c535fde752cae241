"""The libraries of the crash tests: the extension with its failpoints, and the failing disk."""

import contextlib
import ctypes
import os
import sqlite3
from pathlib import Path

from ..sql import loading

TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or loading.ROOT / "target") / "faults" / "debug"
FAILPOINTS = TARGET / loading.LIBRARY_NAME
DISK = TARGET / loading.LIBRARY_NAME.replace("honker_ext", "honker_faults")

# The bits of `plan::Kind` in crates/honker-faults.
KINDS = {
    kind: 1 << bit
    for bit, kind in enumerate(
        ("open", "read", "write", "truncate", "sync", "delete", "lock", "shared memory", "shared lock")
    )
}
DEATH = -1


def require(library):
    if not library.exists():
        raise FileNotFoundError(f"{library} is missing; run `make build-faults` first")
    return library


class Disk:
    """Controls the VFS ``honker_faults`` of this process."""

    def __init__(self):
        self._library = ctypes.CDLL(str(require(DISK)))
        self._library.honker_faults_arm.argtypes = [ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int, ctypes.c_int]
        self._library.honker_faults_mark.argtypes = [ctypes.c_uint64]
        for count in (self._library.honker_faults_seen, self._library.honker_faults_failed):
            count.restype = ctypes.c_uint64
        self._register()

    def _register(self):
        init = self._library.sqlite3_honkerfaults_init
        loading.SQLITE.sqlite3_auto_extension(init)
        try:
            sqlite3.connect(":memory:").close()
        finally:
            loading.SQLITE.sqlite3_cancel_auto_extension(init)

    def connect(self, path, **options):
        """As `loading.connect`, on this disk."""
        return loading.connect(uri(path), uri=True, **options)

    def count(self, *kinds):
        """Start to count operations of these kinds, or of all kinds. No operation fails."""
        self.fail(0, 0, *kinds)

    def fail(self, nth, code, *kinds, lasting=False):
        """Make the `nth` of these operations fail with the code; if `lasting`, all later ones too."""
        mask = sum(KINDS[kind] for kind in kinds or KINDS)
        self._library.honker_faults_arm(mask, nth, code, lasting)

    def heal(self):
        self.count()

    @property
    def seen(self):
        """The operations counted since `count` or `fail`."""
        return self._library.honker_faults_seen()

    @property
    def failed(self):
        """The failed ones among them."""
        return self._library.honker_faults_failed()

    @contextlib.contextmanager
    def traced(self, path):
        """Log writes and syncs. Yields a function that puts marks into the log."""
        assert self._library.honker_faults_trace(os.fsencode(path)) == 0
        try:
            yield self._library.honker_faults_mark
        finally:
            assert self._library.honker_faults_trace_end() == 0


def uri(path):
    """The path on the failing disk."""
    return f"file:{path}?vfs=honker_faults"
