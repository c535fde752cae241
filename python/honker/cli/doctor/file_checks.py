"""Hazards of the file system. Files are never opened: closing one would drop the locks of SQLite in this process."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from honker.cli.doctor.finding import Finding

#: The mounts of this process; Linux only.
MOUNTS: Final = Path("/proc/self/mountinfo")

#: Types of file systems without shared memory or reliable locks across machines.
NETWORK_TYPES: Final = frozenset(
    (
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "fuse.davfs2",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.s3fs",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
    )
)

#: Bytes from which a -wal counts as large. honker's connections checkpoint at 4 MB.
LARGE_WAL_BYTES: Final = 64_000_000

_MB: Final = 1_000_000


def check_file(path: str) -> Iterator[Finding]:
    """Check the file at a path and the files beside it."""
    real = os.path.realpath(path)
    yield from _check_mount(real)
    yield from _check_links(real)
    yield from _check_permissions(real)
    yield from _check_wal(real)


def mount_type(path: str, mounts: Path = MOUNTS) -> str | None:
    """The type of the file system that holds a path; None where the system does not tell."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    found: tuple[int, str] | None = None
    for line in lines:
        left, _, right = line.partition(" - ")
        point = left.split(" ")[4].encode("utf-8", "surrogateescape").decode("unicode_escape")
        is_above = path == point or path.startswith(point.rstrip("/") + "/")
        if is_above and (found is None or len(point) >= found[0]):
            found = len(point), right.split(" ")[0]
    return None if found is None else found[1]


def _check_mount(path: str) -> Iterator[Finding]:
    kind = mount_type(path, MOUNTS)
    if kind in NETWORK_TYPES:
        yield Finding(
            check="network-file-system",
            fact=f"{path} is on a file system of type {kind}",
            why="WAL mode needs memory that all processes share; on such a file system commits are lost or the file is "
            "damaged, and wakes of other machines do not arrive",
            step="move the file to a local disk, and run every process of it on that machine",
        )


def _check_links(path: str) -> Iterator[Finding]:
    links = os.stat(path).st_nlink
    if links > 1:
        yield Finding(
            check="hard-links",
            fact=f"{path} has {links} names (hard links)",
            why="SQLite keeps a -wal for each name and loses commits when two names are in use",
            step=f"find the others by `find / -xdev -samefile {path}`, and remove all names but one",
        )


def _check_permissions(path: str) -> Iterator[Finding]:
    main = os.stat(path)
    for name in (f"{path}-wal", f"{path}-shm"):
        try:
            beside = os.stat(name)
        except FileNotFoundError:
            continue
        if (beside.st_uid, beside.st_gid) != (main.st_uid, main.st_gid):
            yield Finding(
                check="permissions",
                fact=f"{name} belongs to user {beside.st_uid}, group {beside.st_gid}; the database to user "
                f"{main.st_uid}, group {main.st_gid}",
                why="processes of the other user fail with 'attempt to write a readonly database'",
                step=f"stop every process of the file, run `chown {main.st_uid}:{main.st_gid} {name}`, and run "
                "commands as the user of the application",
            )
    if main.st_mode & stat.S_IWOTH:
        yield Finding(
            check="permissions",
            fact=f"{path} has mode {stat.S_IMODE(main.st_mode):o}, writable by every user",
            why="every user of the machine can enqueue calls of tasks, and so run the application's code",
            step=f"run `chmod o-w {path}`",
        )
    yield from _check_folder(path, main)


def _check_folder(path: str, main: os.stat_result) -> Iterator[Finding]:
    folder = os.path.dirname(path)
    about = os.stat(folder)
    bits = stat.S_IWUSR if main.st_uid == about.st_uid else stat.S_IWGRP | stat.S_IWOTH
    if main.st_uid != 0 and not about.st_mode & bits:
        yield Finding(
            check="permissions",
            fact=f"the folder {folder} is not writable by user {main.st_uid}, the owner of the database",
            why="SQLite creates the -wal and the -shm in the folder, and every write fails without them",
            step=f"run `chown {main.st_uid} {folder}`, or move the database to a folder of its own",
        )


def _check_wal(path: str) -> Iterator[Finding]:
    try:
        size = os.stat(f"{path}-wal").st_size
    except FileNotFoundError:
        return
    if size > LARGE_WAL_BYTES:
        yield Finding(
            check="wal-size",
            fact=f"{path}-wal has {size // _MB} MB",
            why="a transaction that stays open keeps SQLite from reusing it: each read becomes slower, and the disk "
            "fills",
            step="find the process with the long transaction, end it, then run PRAGMA wal_checkpoint(TRUNCATE)",
        )
