"""A file as the source or the target of a copy."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from honker.cli.copy.store import MARK, NO_WRITER, WRITER, WRITER_BEFORE, CopyError
from honker.cli.copy.tables import LOCK_TOKENS, SEQUENCES, MalformedValueError, Record, Table
from honker.cli.database_file import connect_as_it_is, look_at
from honker.cli.schema import newest_version, schema_version
from honker.database import open
from honker.errors import from_sqlite

_SET_FACT = "INSERT OR REPLACE INTO main._honker_meta (key, value) VALUES (?, ?)"


class FileStore:
    """A database file, on a connection that changes no setting of it.

    Args:
        path: The file.
        is_target: True makes the file and its tables if they are missing, and writes.
    """

    def __init__(self, path: str, *, is_target: bool) -> None:
        if is_target:
            open(path).close()
        self.shown = path
        self.identity = os.path.realpath(path)
        self._is_target = is_target
        self._conn = connect_as_it_is(path, mode="rw") if is_target else look_at(path)
        try:
            self._check()
        except BaseException:
            self._conn.close()
            raise

    def _check(self) -> None:
        if schema_version(self._conn) != newest_version():
            raise CopyError(f"{self.shown!r} has tables of another version of honker; run `honker migrate` first")
        if self._is_target and "shared" in self.facts():
            raise CopyError(f"{self.shown!r} is shared with the public honker; name another TARGET")
        if not self._is_target:
            self._conn.execute("BEGIN")

    def look_again(self) -> None:
        """See the state of now from here on. A target has no open transaction between its changes."""
        if not self._is_target:
            self._conn.execute("ROLLBACK")
            self._conn.execute("BEGIN")

    def count(self, table: Table) -> int:
        """The number of rows that are copied."""
        return self._one(f"SELECT count(*) FROM main.{table.file_name}{_where(table.condition)}")

    def rows(self, table: Table, after: Record | None) -> Iterator[Record]:
        """The rows in the order of their keys, those after a key.

        Raises:
            CopyError: A value has a type that its column never has.
        """
        names = ", ".join(_columns(table))
        key = ", ".join(_named(table, name) for name in table.key)
        order = ", ".join(f"{_named(table, name)} COLLATE BINARY" for name in table.key)
        beyond = "" if after is None else f"({key}) > ({', '.join('?' * len(after))})"
        sql = f"SELECT {names} FROM main.{table.file_name}{_where(table.condition, beyond)} ORDER BY {order}"
        with _as_honker():
            for stored in self._conn.execute(sql, self._stored_key(table, after)):
                yield self._converted(table, stored)

    def _converted(self, table: Table, stored: Sequence[object]) -> Record:
        try:
            return tuple(
                None if value is None else kind.of_file(value)
                for value, kind in zip(stored, table.columns.values(), strict=True)
            )
        except MalformedValueError as error:
            key = ", ".join(f"{table.key[i]} {stored[at]!r}" for i, at in enumerate(table.positions()))
            raise CopyError(
                f"{self.shown!r}: a column of {table.file_name} {error} in the row with {key}; `honker doctor` lists "
                "such rows"
            ) from error

    def _stored_key(self, table: Table, key: Record | None) -> list[object]:
        if key is None:
            return []
        return [table.columns[name].to_file(value) for name, value in zip(table.key, key, strict=True)]

    def sequences(self) -> Mapping[str, int]:
        """The last number that each counter has given."""
        given = dict(self._conn.execute("SELECT name, seq FROM main.sqlite_sequence"))
        numbers = {sequence: int(given.get(table) or 0) for sequence, table in SEQUENCES.items()}
        return {**numbers, LOCK_TOKENS: self.facts().get("lock_token", 0)}

    def facts(self) -> Mapping[str, int]:
        """The rows of ``_honker_meta``."""
        return dict(self._conn.execute("SELECT key, value FROM main._honker_meta"))

    def working(self) -> int:
        """The number of workers that report now."""
        return self._one("SELECT count(*) FROM main._honker_workers WHERE seen_at + 2 * beat_s >= ?", time.time())

    def begin_copy(self, source_number: int) -> None:
        """Mark it as the target of a copy that has not ended."""
        before = self.facts().get(WRITER, 0)
        with self._write():
            self._conn.executemany(_SET_FACT, [(MARK, source_number), (WRITER_BEFORE, before), (WRITER, NO_WRITER)])

    def last_key(self, table: Table) -> Record | None:
        """The key of the last row that is there."""
        names = ", ".join(_named(table, name) for name in table.key)
        order = ", ".join(f"{_named(table, name)} COLLATE BINARY DESC" for name in table.key)
        sql = f"SELECT {names} FROM main.{table.file_name}{_where(table.condition)} ORDER BY {order} LIMIT 1"
        row = self._conn.execute(sql).fetchone()
        if row is None:
            return None
        return tuple(table.columns[name].of_file(value) for name, value in zip(table.key, row, strict=True))

    def add(self, table: Table, rows: Sequence[Record]) -> None:
        """Add rows."""
        columns, kinds = _columns(table), list(table.columns.values())
        places = ", ".join("?" * len(columns))
        sql = f"INSERT INTO main.{table.file_name} ({', '.join(columns)}) VALUES ({places})"
        with self._write():
            self._conn.executemany(
                sql,
                (
                    [None if value is None else kind.to_file(value) for value, kind in zip(row, kinds, strict=True)]
                    for row in rows
                ),
            )

    def clear(self, table: Table) -> None:
        """Delete the rows that are copied."""
        with self._write():
            self._conn.execute(f"DELETE FROM main.{table.file_name}{_where(table.condition)}")

    def end_copy(self, sequences: Mapping[str, int]) -> None:
        """Set the counters beyond those of the source, and remove the mark."""
        here = self.sequences()
        with self._write():
            for sequence, table in SEQUENCES.items():
                number = max(here[sequence], sequences[sequence])
                self._conn.execute("DELETE FROM main.sqlite_sequence WHERE name = ?", (table,))
                self._conn.execute("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))
            self._conn.execute(_SET_FACT, ("lock_token", max(here[LOCK_TOKENS], sequences[LOCK_TOKENS])))
            # An older honker would end the jobs of another one without their effects.
            self._conn.execute(_SET_FACT, (WRITER, newest_version()))
            self._conn.execute("DELETE FROM main._honker_meta WHERE key IN (?, ?)", (MARK, WRITER_BEFORE))

    def close(self) -> None:
        """Close it."""
        self._conn.close()

    def _one(self, sql: str, *parameters: object) -> int:
        with _as_honker():
            return int(self._conn.execute(sql, parameters).fetchone()[0])

    @contextmanager
    def _write(self) -> Generator[None]:
        with _as_honker():
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._conn.execute("COMMIT")
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise


@contextmanager
def _as_honker() -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(error) from error


def _named(table: Table, name: str) -> str:
    return table.file_columns.get(name, name)


def _columns(table: Table) -> list[str]:
    return [_named(table, name) for name in table.columns]


def _where(*conditions: str) -> str:
    given = " AND ".join(each for each in conditions if each)
    return f" WHERE {given}" if given else ""
