"""A database as a copy sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from honker.cli.copy.tables import Record, Table

#: The row of ``meta`` that marks a target whose copy has not ended, with a number for its source.
MARK: Final = "copy_source"
#: The writer version that a target demands until its copy has ended: no worker claims jobs there.
NO_WRITER: Final = 1_000_000_000
WRITER: Final = "min_writer_version"
#: The row of ``meta`` with the writer version from before.
WRITER_BEFORE: Final = "copy_writer_version"


class CopyError(Exception):
    """The copy cannot begin, or its sides are not equal."""


class Source(Protocol):
    """A database to copy from; its reads between two calls of `look_again` see one moment."""

    @property
    def shown(self) -> str:
        """Its path, or its URL without a password."""
        ...

    @property
    def identity(self) -> str:
        """A text that is the same for each opening."""
        ...

    def look_again(self) -> None:
        """See the state of now from here on."""
        ...

    def count(self, table: Table) -> int:
        """The number of rows that are copied."""
        ...

    def rows(self, table: Table, after: Record | None) -> Iterator[Record]:
        """The rows in the order of their keys, those after a key."""
        ...

    def sequences(self) -> Mapping[str, int]:
        """The last number that each counter has given."""
        ...

    def facts(self) -> Mapping[str, int]:
        """The rows of ``meta``."""
        ...

    def working(self) -> int:
        """The number of workers that report now."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Target(Source, Protocol):
    """A database to copy to. Each of its changes is one transaction."""

    def begin_copy(self, source_number: int) -> None:
        """Mark it as the target of a copy that has not ended."""
        ...

    def last_key(self, table: Table) -> Record | None:
        """The key of the last row that is there."""
        ...

    def add(self, table: Table, rows: Sequence[Record]) -> None:
        """Add rows."""
        ...

    def clear(self, table: Table) -> None:
        """Delete the rows that are copied."""
        ...

    def end_copy(self, sequences: Mapping[str, int]) -> None:
        """Set the counters beyond those of the source, and remove the mark."""
        ...
