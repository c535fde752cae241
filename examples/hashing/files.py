"""List the files and hash them."""

import collections
import hashlib
import os
import stat
from typing import NamedTuple

CHUNK_BYTES = 1 << 20


class Walk:
    """The paths, as bytes, of the readable regular files below a directory, in a stable order.

    Symbolic links are not followed. Other file systems are skipped, including `/proc` with its endless files. `skipped`
    counts the skipped entries by reason, as far as the walk has come.
    """

    def __init__(self, root, database):
        self.root = os.fsencode(os.path.realpath(root))
        self.skipped = collections.Counter()
        # Closing *any* descriptor of a database file drops this process's SQLite locks on it
        # (https://sqlite.org/howtocorrupt.html), so never read an open database as a file.
        real = os.fsencode(os.path.realpath(database))
        self.database_files = {real + suffix for suffix in (b"", b"-wal", b"-shm", b"-journal")}

    def __iter__(self):
        device = os.stat(self.root).st_dev
        folders = [self.root]
        while folders:
            for entry in self.entries(folders.pop()):
                reason = self.reason_to_skip(entry, device)
                if reason:
                    self.skipped[reason] += 1
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    yield entry.path

    def entries(self, folder):
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self.skipped["unreadable directory"] += 1
            return []

    def reason_to_skip(self, entry, device):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            return "vanished"
        if stat.S_ISLNK(status.st_mode):
            return "symbolic link"
        if stat.S_ISDIR(status.st_mode):
            return None if status.st_dev == device else "other file system"
        if not stat.S_ISREG(status.st_mode):
            return "special file"
        if entry.path in self.database_files:
            return "this database"
        return None if os.access(entry.path, os.R_OK) else "unreadable file"


class Hashed(NamedTuple):
    """A digest, with the size and modification time of the file when reading began."""

    digest: str
    size: int
    mtime_ns: int


def hash_file(path, while_reading=lambda: None):
    """SHA-256 of a regular file; calls `while_reading` after each piece.

    Raises:
        OSError: It cannot be read, or is not a regular file any more.
    """
    with open(path, "rb", buffering=0, opener=open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"not a regular file any more: {os.fsdecode(path)!r}")
        digest = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            while_reading()
    return Hashed(digest.hexdigest(), status.st_size, status.st_mtime_ns)


def open_at_once(path, flags):
    """Open without waiting for the writer of a pipe. A file that has become a link is an error."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
