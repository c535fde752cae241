"""Statements on one connection, with errors of honker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import tuple_row

from honker.arguments import Parameters, Row, SQLValue, sql_parameters
from honker.errors import UnexpectedRowsError
from honker.postgres.connection import PoolConnection
from honker.postgres.failures import from_postgres
from honker.postgres.statements import translated


class _OneStatement(psycopg.Cursor[Any]):
    """A cursor that refuses several statements in one text, as SQLite does.

    Without arguments, psycopg would send the text by the simple protocol, which runs all of them: ``COMMIT; DELETE
    ...`` would leave a read-only transaction.
    """

    def _execute_send(self, query: Any, *, force_extended: bool = True, binary: bool | None = None) -> None:
        super()._execute_send(query, force_extended=True, binary=binary)


def scalar(raw: psycopg.Connection[Any], sql: str, params: Sequence[SQLValue]) -> Any:
    """Run a function of the contract and return its result."""
    try:
        if isinstance(raw, PoolConnection):
            return raw.call(sql, params)
        with raw.cursor(row_factory=tuple_row) as cursor:
            text, given = translated(sql, params)
            row = cursor.execute(_literal(text), given).fetchone()
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise from_postgres(error) from error
    assert row is not None
    return row[0]


def query(raw: psycopg.Connection[Any], sql: str, params: Parameters) -> list[Row]:
    """Run one statement of the application and return its rows, each a dict by column label."""
    try:
        with _OneStatement(raw, row_factory=tuple_row) as cursor:
            cursor.execute(_literal(sql), sql_parameters(params) or None)
            _note_removal(raw, cursor)
            if cursor.description is None:
                return []
            labels = [column.name for column in cursor.description]
            return [dict(zip(labels, row, strict=True)) for row in cursor.fetchall()]
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise from_postgres(error) from error


def execute(raw: psycopg.Connection[Any], sql: str, params: Parameters) -> None:
    """Run one statement of the application that returns no rows."""
    try:
        with _OneStatement(raw) as cursor:
            cursor.execute(_literal(sql), sql_parameters(params) or None)
            _note_removal(raw, cursor)
            if cursor.description is not None:
                raise UnexpectedRowsError("Execute returned results - did you mean to call query?")
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise from_postgres(error) from error


def _note_removal(raw: psycopg.Connection[Any], cursor: psycopg.Cursor[Any]) -> None:
    """Forget the prepared statements that a statement of the application has removed."""
    if cursor.statusmessage == "DEALLOCATE ALL" and isinstance(raw, PoolConnection):
        raw.forget_prepared_calls()


def control(raw: psycopg.Connection[Any], sql: LiteralString) -> None:
    """Run BEGIN, COMMIT or ROLLBACK."""
    try:
        raw.execute(sql)
    except psycopg.Error as error:
        raise from_postgres(error) from error


def _literal(sql: str) -> LiteralString:
    """The statement as psycopg's types want it; it is never built from values."""
    return cast("LiteralString", sql)
