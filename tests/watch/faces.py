"""The three ways to watch a file, with one interface: SQL functions, C functions, and the Python class."""

import ctypes
import json

import honker

from ..sql import loading

LIBRARY = str(loading.LIBRARY)
WAKE, TIMEOUT, DEAD = 1, 0, -1

# Longer than any wait here, so that a missing wake is a failure and not a hang.
PATIENCE_MS = 10_000


class SQLWatch:
    """`honker_update_watcher_open` and related functions, on a connection that does not use the watched file."""

    def __init__(self, path, backend=None, interval_ms=None):
        self._conn = loading.connect(":memory:", check_same_thread=False)
        try:
            self.id = self._call("open", str(path), backend, interval_ms)
        except BaseException:
            self._conn.close()
            raise

    def _call(self, verb, *arguments):
        marks = ", ".join("?" * len(arguments))
        return self._conn.execute(f"SELECT honker_update_watcher_{verb}({marks})", arguments).fetchone()[0]

    def wait(self, timeout_ms=PATIENCE_MS):
        return self._call("wait", self.id, timeout_ms)

    def stats(self):
        return json.loads(self._call("stats", self.id))

    def fileno(self):
        return self._call("fd", self.id)

    def close(self):
        number, self.id = self.id, None
        if number is not None:
            self._call("close", number)
            self._conn.close()


class CWatch:
    """`honker_watcher_open_v2` and related functions, declared as in include/honker.h."""

    def __init__(self, path, backend=None, interval_ms=None):
        self._native = native()
        message = ctypes.create_string_buffer(1024)
        encoded = None if backend is None else backend.encode()
        if interval_ms is None:
            self.handle = self._native.honker_watcher_open(str(path).encode(), encoded, message, 1024)
        else:
            self.handle = self._native.honker_watcher_open_v2(str(path).encode(), encoded, interval_ms, message, 1024)
        if self.handle is None:
            raise RuntimeError(message.value.decode())

    def wait(self, timeout_ms=PATIENCE_MS):
        return self._native.honker_watcher_wait(self.handle, timeout_ms)

    def stats(self):
        length = self._native.honker_watcher_stats(self.handle, None, 0)
        buffer = ctypes.create_string_buffer(2 * length)
        self._native.honker_watcher_stats(self.handle, buffer, 2 * length)
        return json.loads(buffer.value)

    def fileno(self):
        return self._native.honker_watcher_fd(self.handle)

    def close(self):
        handle, self.handle = self.handle, None
        self._native.honker_watcher_close(handle)


class PythonWatch:
    """`honker.UpdateEvents`."""

    def __init__(self, path, backend=None, interval_ms=None):
        loading.connect(":memory:").close()
        self.updates = honker.UpdateEvents(LIBRARY, str(path), backend, interval_ms)

    def wait(self, timeout_ms=PATIENCE_MS):
        try:
            return WAKE if self.updates.wait(timeout_ms / 1000) else TIMEOUT
        except (honker.WatcherError, honker.DatabaseClosedError):
            return DEAD

    def stats(self):
        return self.updates.stats()

    def fileno(self):
        return self.updates.fileno()

    def close(self):
        self.updates.close()


FACES = {"sql": SQLWatch, "c": CWatch, "python": PythonWatch}


def native():
    """The C functions, in a process that has loaded the extension."""
    loading.connect(":memory:").close()
    library = ctypes.CDLL(LIBRARY)
    text, pointer = ctypes.c_char_p, ctypes.c_void_p
    for name, result, arguments in (
        ("open", pointer, [text, text, text, ctypes.c_size_t]),
        ("open_v2", pointer, [text, text, ctypes.c_uint64, text, ctypes.c_size_t]),
        ("wait", ctypes.c_int, [pointer, ctypes.c_uint64]),
        ("fd", ctypes.c_int, [pointer]),
        ("stats", ctypes.c_size_t, [pointer, text, ctypes.c_size_t]),
        ("close", None, [pointer]),
    ):
        function = getattr(library, f"honker_watcher_{name}")
        function.restype, function.argtypes = result, arguments
    return library
