"""A PostgreSQL database as the source or the target of a copy. Imported only for a URL: psycopg is an extra."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import sql

from honker.cli.copy.store import MARK, NO_WRITER, WRITER, WRITER_BEFORE, CopyError
from honker.cli.copy.tables import LOCK_TOKENS, SEQUENCES, TEXT, Record, Table
from honker.postgres.driver import connect
from honker.postgres.failures import from_postgres
from honker.postgres.install import install, is_installed, look
from honker.postgres.location import without_password

#: Rows of one fetch.
_FETCH: Final = 200
_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SET_FACT: Final = (
    "INSERT INTO honker.meta (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


class ServerStore:
    """A database with the schema ``honker``, on one connection of a role that may use its tables.

    Args:
        url: Its URL.
        is_target: True installs the schema, or upgrades it, and writes.
    """

    def __init__(self, url: str, *, is_target: bool) -> None:
        self.shown = without_password(url)
        self._is_target = is_target
        self._conn = connect(url)
        info = self._conn.info
        self.identity = f"postgresql://{info.host}:{info.port}/{info.dbname}"
        try:
            with _as_honker():
                self._check()
        except BaseException:
            self._conn.close()
            raise

    def _check(self) -> None:
        if self._is_target:
            install(self._conn)
            return
        if not is_installed(self._conn):
            raise CopyError(f"{self.shown!r} has no schema honker; check the URL")
        found = look(self._conn)
        if found.version != found.newest:
            raise CopyError(f"{self.shown!r} has tables of another version of honker; run `honker migrate` first")
        self._conn.execute(_BEGIN)

    def look_again(self) -> None:
        """See the state of now from here on. A target has no open transaction between its changes."""
        if not self._is_target:
            with _as_honker():
                self._conn.execute("ROLLBACK")
                self._conn.execute(_BEGIN)

    def count(self, table: Table) -> int:
        """The number of rows that are copied."""
        return self._one(sql.SQL("SELECT count(*) FROM {}{}").format(_named(table), _where(_condition(table))))

    def rows(self, table: Table, after: Record | None) -> Iterator[Record]:
        """The rows in the order of their keys, those after a key."""
        beyond = sql.SQL("")
        if after is not None:
            places = sql.SQL(", ").join(sql.Placeholder() * len(after))
            beyond = sql.SQL("({}) > ({})").format(sql.SQL(", ").join(_ordered(table)), places)
        statement = sql.SQL("SELECT {} FROM {}{} ORDER BY {}").format(
            _columns(table), _named(table), _where(_condition(table), beyond), sql.SQL(", ").join(_ordered(table))
        )
        # Held beyond its transaction, of which a target has none.
        with _as_honker(), closing(self._conn.cursor("honker_copy", withhold=self._is_target)) as cursor:
            cursor.itersize = _FETCH
            yield from cursor.execute(statement, after)

    def sequences(self) -> Mapping[str, int]:
        """The last number that each counter has given."""
        return {name: self._last_number(name) for name in (*SEQUENCES, LOCK_TOKENS)}

    def _last_number(self, sequence: str) -> int:
        last = sql.SQL("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}")
        return self._one(last.format(sql.Identifier("honker", sequence)))

    def facts(self) -> Mapping[str, int]:
        """The rows of ``meta``."""
        with _as_honker():
            return dict(self._conn.execute("SELECT key, value FROM honker.meta").fetchall())

    def working(self) -> int:
        """The number of workers that report now."""
        now_ms = int(time.time() * 1000)
        return self._one("SELECT count(*) FROM honker.workers WHERE seen_at + 2 * beat >= %s", now_ms)

    def begin_copy(self, source_number: int) -> None:
        """Mark it as the target of a copy that has not ended."""
        before = self.facts().get(WRITER, 0)
        with self._write() as cursor:
            cursor.executemany(_SET_FACT, [(MARK, source_number), (WRITER_BEFORE, before), (WRITER, NO_WRITER)])

    def last_key(self, table: Table) -> Record | None:
        """The key of the last row that is there."""
        key = sql.SQL(", ").join(sql.Identifier(name) for name in table.key)
        order = sql.SQL(", ").join(sql.SQL("{} DESC").format(each) for each in _ordered(table))
        statement = sql.SQL("SELECT {} FROM {}{} ORDER BY {} LIMIT 1").format(
            key, _named(table), _where(_condition(table)), order
        )
        with _as_honker():
            return self._conn.execute(statement).fetchone()

    def add(self, table: Table, rows: Sequence[Record]) -> None:
        """Add rows.

        Raises:
            CopyError: A text holds the character U+0000, which PostgreSQL does not store.
        """
        columns = [_columns(table), *([] if table.dated is None else [sql.Identifier(table.dated)])]
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(_named(table), sql.SQL(", ").join(columns))
        date = () if table.dated is None else (self._one("SELECT honker._now()"),)
        for row in rows:
            self._check_texts(table, row)
        with self._write() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row + date)

    def _check_texts(self, table: Table, row: Record) -> None:
        for name, value in zip(table.columns, row, strict=True):
            if isinstance(value, str) and "\0" in value:
                key = ", ".join(f"{table.key[i]} {row[at]!r}" for i, at in enumerate(table.positions()))
                raise CopyError(
                    f"column {name} of {table.file_name} holds the character U+0000 in the row with {key}, which "
                    "PostgreSQL does not store; change or remove the row"
                )

    def clear(self, table: Table) -> None:
        """Delete the rows that are copied."""
        with self._write() as cursor:
            cursor.execute(sql.SQL("DELETE FROM {}{}").format(_named(table), _where(_condition(table))))

    def end_copy(self, sequences: Mapping[str, int]) -> None:
        """Set the counters beyond those of the source, remove the mark, and wake the waiters."""
        before = self.facts().get(WRITER_BEFORE, 1)
        with self._write() as cursor:
            for name, number in sequences.items():
                last = max(self._last_number(name), number)
                if last:
                    cursor.execute("SELECT pg_catalog.setval(%s::text::regclass, %s)", (f"honker.{name}", last))
            cursor.execute(_SET_FACT, (WRITER, before))
            cursor.execute("DELETE FROM honker.meta WHERE key IN (%s, %s)", (MARK, WRITER_BEFORE))
            cursor.execute("SELECT honker._announce()")
        with _as_honker():
            self._conn.execute("ANALYZE honker.live, honker.dead, honker.stream, honker.finished, honker.results")

    def close(self) -> None:
        """Close it."""
        self._conn.close()

    def _one(self, statement: LiteralString | sql.Composed, *parameters: object) -> int:
        with _as_honker():
            row = self._conn.execute(statement, parameters).fetchone()
        assert row is not None
        return int(row[0])

    @contextmanager
    def _write(self) -> Generator[psycopg.Cursor[Any]]:
        with _as_honker(), self._conn.transaction(), self._conn.cursor() as cursor:
            yield cursor


@contextmanager
def _as_honker() -> Generator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise from_postgres(error) from error


def _named(table: Table) -> sql.Identifier:
    return sql.Identifier("honker", table.name)


def _columns(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name in table.columns)


def _ordered(table: Table) -> list[sql.Composed]:
    """The columns of the key in the order of a file: that of the bytes."""
    bytewise = sql.SQL('{} COLLATE "C"')
    plain = sql.SQL("{}")
    return [(bytewise if table.columns[name] is TEXT else plain).format(sql.Identifier(name)) for name in table.key]


def _condition(table: Table) -> sql.Composable:
    return sql.SQL(cast("LiteralString", table.condition))


def _where(*conditions: sql.Composable) -> sql.Composable:
    given = [each for each in conditions if each.as_string()]
    return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(given) if given else sql.SQL("")
