"""The possible contents of a disk after a power cut, made from the log of a run on the disk `faults.Disk`.

Synced data survives. Unsynced writes may survive in any form: none, all, the first part, some writes and not others, or
some sectors of each write. The same holds for files made or removed without a sync of the directory. Shared memory is
lost.
"""

import itertools
import struct
from dataclasses import dataclass, field

SECTOR = 512
HEADER = struct.Struct("<cHQI")

#: The surviving part of unsynced data.
MODES = ("nothing", "everything", "the first writes", "some writes", "some sectors")


@dataclass
class Record:
    event: str
    name: str
    number: int
    data: bytes


def read(log):
    """Read the records of a log."""
    text, records, at = log.read_bytes(), [], 0
    while at < len(text):
        event, name_length, number, length = HEADER.unpack_from(text, at)
        at += HEADER.size
        name = text[at : at + name_length].decode()
        at += name_length
        records.append(Record(event.decode(), name, number, text[at : at + length]))
        at += length
    return records


@dataclass
class File:
    """The synced contents, and the operations since."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list = field(default_factory=list)

    def sync(self):
        for record in self.pending:
            _apply(self.synced, record)
        self.pending.clear()

    def after_cut(self, mode, rng):
        contents = bytearray(self.synced)
        for record in _survivors(self.pending, mode, rng):
            _apply(contents, record)
        return contents


class Disk:
    """A disk that replays one record after the other, and returns its possible states after a power cut."""

    def __init__(self, files):
        """`files`: contents by name, all synced."""
        self._synced = {name: File(bytearray(contents)) for name, contents in files.items()}
        self._now = dict(self._synced)
        self._pending = []  # names made and removed: (name, file or None)
        self.marked = 0

    def take(self, record):
        {"C": self._create, "W": self._change, "T": self._change, "S": self._sync, "D": self._delete, "M": self._mark}[
            record.event
        ](record)

    def _create(self, record):
        if record.name not in self._now:
            self._now[record.name] = File()
            self._pending.append((record.name, self._now[record.name]))

    def _change(self, record):
        self._now[record.name].pending.append(record)

    def _sync(self, record):
        file = self._now[record.name]
        file.sync()
        # A new file's first sync also syncs its directory.
        if any(made is file for _, made in self._pending):
            self._sync_directory()

    def _delete(self, record):
        del self._now[record.name]
        self._pending.append((record.name, None))
        if record.number:
            self._sync_directory()

    def _mark(self, record):
        self.marked = record.number

    def _sync_directory(self):
        _rename(self._synced, self._pending)
        self._pending.clear()

    @property
    def is_synced(self):
        """True if a power cut would lose no write."""
        return not self._pending and not any(file.pending for file in self._synced.values())

    def after_cut(self, mode, rng):
        """The surviving files, contents by name."""
        names = dict(self._synced)
        kept = {"nothing": 0, "everything": len(self._pending)}.get(mode, rng.randint(0, len(self._pending)))
        _rename(names, self._pending[:kept])
        return {name: file.after_cut(mode, rng) for name, file in names.items()}


def _rename(names, changes):
    for name, file in changes:
        if file is None:
            del names[name]
        else:
            names[name] = file


def _apply(contents, record):
    if record.event == "T":
        del contents[record.number :]
        return
    if len(contents) < record.number:
        contents.extend(bytes(record.number - len(contents)))
    contents[record.number : record.number + len(record.data)] = record.data


def _survivors(pending, mode, rng):
    if mode == "nothing":
        return []
    if mode == "everything":
        return pending
    if mode == "the first writes":
        return pending[: rng.randint(0, len(pending))]
    if mode == "some writes":
        return [record for record in pending if rng.random() < 0.5]
    return [sector for record in pending for sector in _sectors(record) if rng.random() < 0.5]


def _sectors(record):
    """A write cut at the borders of sectors; a truncation happens completely or not at all."""
    if record.event == "T":
        return [record]
    start, end = record.number, record.number + len(record.data)
    borders = [start, *range((start // SECTOR + 1) * SECTOR, end, SECTOR), end]
    return [
        Record("W", record.name, low, record.data[low - start : high - start])
        for low, high in itertools.pairwise(borders)
    ]
