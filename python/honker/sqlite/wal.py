"""The size of the write-ahead log of a file."""

from __future__ import annotations

import os

from honker.sqlite.path import file_of


def wal_bytes(path: str) -> int:
    """The size of the ``-wal`` of a database in bytes; 0 if there is none. Opens no file."""
    try:
        return os.stat(f"{os.path.realpath(file_of(path))}-wal").st_size
    except OSError:
        return 0
