"""The reason why a database file cannot be opened or written; found after SQLite has refused."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from honker.errors import DatabaseOpenError, DatabaseReadOnlyError, HonkerError
from honker.sqlite.path import file_of, uri_option

try:
    import pwd
except ImportError:  # Windows
    pwd = None

# SQLite's limit of 512 bytes on Unix, less the longest suffix that it adds.
_PATH_MAX_BYTES: Final = 504
_EFFECTIVE: Final = os.access in os.supports_effective_ids


def explain(path: str, error: HonkerError) -> HonkerError:
    """The error with the path, the reason, the owner and the next step, where SQLite's message has none of them."""
    if not isinstance(error, (DatabaseOpenError, DatabaseReadOnlyError)):
        return error
    reason = reason_of(path)
    if isinstance(error, DatabaseOpenError):
        explained = type(error)(f"unable to open database file {path!r}: {reason or error}")
    elif reason is None:
        return error
    else:
        explained = type(error)(f"{error}: {path!r}: {reason}")
    explained.sqlite_code = error.sqlite_code
    return explained


def reason_of(path: str) -> str | None:
    """The reason why a file cannot be opened for writing, and the next step; None if there is none to be seen."""
    file = file_of(path)
    return out_of_descriptors() or _reason_of_path(file) or _reason_of_uri(path, file) or _reason_of_permissions(file)


def out_of_descriptors() -> str | None:
    """The reason, if the process or the system can open no more files."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        if error.errno in {errno.EMFILE, errno.ENFILE}:
            return f"{os.strerror(error.errno)}: no file descriptor is left; close files, or raise `ulimit -n`"
    return None


def _reason_of_path(file: Path) -> str | None:
    length = len(os.fsencode(file))
    try:
        if file.is_dir():
            return "it is a directory; name a file in it"
        if not file.parent.exists():
            return f"the directory {str(file.parent)!r} does not exist; create it first"
        if not file.parent.is_dir():
            return f"{str(file.parent)!r} is not a directory"
        file.exists()
    except OSError as error:
        return f"{error.strerror}; correct the path"
    if length > _PATH_MAX_BYTES:
        return f"the absolute path has {length} bytes, and SQLite takes at most {_PATH_MAX_BYTES}; move the file"
    return None


def _reason_of_uri(path: str, file: Path) -> str | None:
    mode = uri_option(path, "mode")
    if mode == "ro":
        return "its URI says mode=ro; leave that out to write"
    if mode == "rw" and not file.exists():
        return "there is no such file, and its URI says mode=rw; leave that out to create it"
    return None


def _reason_of_permissions(file: Path) -> str | None:
    for name in (str(file), f"{file}-wal", f"{file}-shm"):
        if os.path.exists(name) and not _may_write(name):
            return _denied(name, "may not read and write it")
    if not _may_write(str(file.parent)):
        return _denied(str(file.parent), "may not create files in it, as SQLite does for the -wal and -shm")
    return None


def _may_write(name: str) -> bool:
    return os.access(name, os.R_OK | os.W_OK, effective_ids=_EFFECTIVE)


def _denied(name: str, denial: str) -> str:
    if hasattr(os, "statvfs") and os.statvfs(name).f_flag & os.ST_RDONLY:
        return f"{name!r} is on a file system that is mounted read-only; remount it, or move the file"
    found = os.stat(name)
    me = _user(os.geteuid()) if hasattr(os, "geteuid") else "this user"
    return (
        f"{name!r} belongs to {_user(found.st_uid)} with mode {found.st_mode & 0o7777:04o}, and this user, {me}, "
        f"{denial}; run as the owner, or give both users a group and write access"
    )


def _user(uid: int) -> str:
    try:
        return f"user {uid}" if pwd is None else pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
