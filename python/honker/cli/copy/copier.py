"""The copy of one database into another: by key, in batches, resumable, and verified.

The target is marked while the copy goes on, and each batch is one transaction, so a second run goes on after the last
key of each table. At the end both sides are read again, and a table that differs is copied anew: the source may have
changed between two runs. The sequences are set, and the mark removed, in one transaction, the last one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from honker.cli.copy.store import MARK, CopyError, Source, Target
from honker.cli.copy.tables import SEQUENCES, TABLES, Record, Table

#: A batch ends with either.
_BATCH_ROWS: Final = 2_000
_BATCH_BYTES: Final = 8 * 2**20


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A table that is equal on both sides.

    Attributes:
        table: Its name.
        rows: Its rows.
        digest: The digest of all of them, in hexadecimal.
    """

    table: str
    rows: int
    digest: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A step of a copy.

    Attributes:
        phase: ``"copy"`` or ``"verify"``.
        table: The name of the table.
        done: Its rows up to now.
        total: Its rows in the source.
    """

    phase: str
    table: str
    done: int
    total: int


class Copier:
    """The copy of a source into a target.

    Args:
        source: The database to copy from.
        target: The database to copy to.
        on_progress: Called after each batch.
    """

    def __init__(self, source: Source, target: Target, on_progress: Callable[[Progress], None]) -> None:
        self._source = source
        self._target = target
        self._on_progress = on_progress

    def copy(self) -> bool:
        """Copy the rows that are missing. True if an earlier run is continued.

        Raises:
            CopyError: The target has other data, or is the source.
        """
        is_continued = self._begin()
        for table in TABLES:
            self._copy(table)
        return is_continued

    def finish(self) -> list[Copied]:
        """Compare both sides, copy tables anew that differ, and make the target ready for use.

        Raises:
            CopyError: A table still differs.
        """
        self._source.look_again()
        copied = [self._verify(table) for table in TABLES]
        self._target.end_copy(self._source.sequences())
        return copied

    def _begin(self) -> bool:
        source, target = self._source, self._target
        if source.identity == target.identity:
            raise CopyError(f"{target.shown!r} is the source itself; name another TARGET")
        if MARK in source.facts():
            raise CopyError(f"{source.shown!r} is the target of a copy that has not ended; run that one to its end")
        number = _number(source.identity)
        found = target.facts().get(MARK)
        if found == number:
            return True
        if found is not None:
            raise CopyError(f"{target.shown!r} is the target of a copy from another source; name an empty TARGET")
        for table in TABLES:
            if table.holds_data and target.count(table):
                raise CopyError(
                    f"{target.shown!r} has other data ({target.count(table):,} rows of {table.name}), and was not "
                    "changed; name an empty TARGET"
                )
        target.begin_copy(number)
        return False

    def _copy(self, table: Table) -> None:
        total = self._source.count(table)
        done = self._target.count(table)
        rows = self._source.rows(table, self._target.last_key(table))
        for batch in _batches(rows):
            self._target.add(table, batch)
            done += len(batch)
            self._on_progress(Progress(phase="copy", table=table.name, done=done, total=total))

    def _verify(self, table: Table) -> Copied:
        wanted = self._digest(self._source, table)
        if self._digest(self._target, table) != wanted:
            # The source has changed since these rows were copied.
            self._check_unused(table)
            self._target.clear(table)
            self._copy(table)
            if self._digest(self._target, table) != wanted:
                raise CopyError(
                    f"table {table.name} is not equal on both sides; stop every process that uses "
                    f"{self._target.shown!r}, and run the command again"
                )
        return wanted

    def _check_unused(self, table: Table) -> None:
        """Refuse to delete rows that others have added to the target: their ids come from its own counters."""
        here, there = self._target.sequences(), self._source.sequences()
        if any(here[name] > there[name] for name in SEQUENCES):
            raise CopyError(
                f"{self._target.shown!r} was used before the copy had ended, and table {table.name} differs; name an "
                "empty TARGET"
            )

    def _digest(self, side: Source, table: Table) -> Copied:
        digest, count, total = hashlib.blake2b(digest_size=16), 0, side.count(table)
        for count, row in enumerate(side.rows(table, None), start=1):
            digest.update(repr(row).encode())
            if count % (10 * _BATCH_ROWS) == 0:
                self._on_progress(Progress(phase="verify", table=table.name, done=count, total=total))
        return Copied(table=table.name, rows=count, digest=digest.hexdigest())


def _batches(rows: Iterable[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, str))
        if len(batch) == _BATCH_ROWS or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _number(identity: str) -> int:
    """A number for a source, which ``meta`` can hold."""
    return int.from_bytes(hashlib.blake2b(identity.encode(), digest_size=8).digest()) >> 1
