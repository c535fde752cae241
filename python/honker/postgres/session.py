"""Statements on one connection, with errors of honker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, cast

import psycopg
from psycopg.rows import tuple_row

from honker.arguments import Parameters, Row, SQLValue, sql_parameters
from honker.errors import UnexpectedRowsError
from honker.postgres.failures import from_postgres
from honker.postgres.statements import translated


def scalar(raw: psycopg.Connection[Any], sql: str, params: Sequence[SQLValue]) -> Any:
    """Run a function of the contract and return its result."""
    try:
        with raw.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(_literal(translated(sql)), params).fetchone()
    except psycopg.Error as error:
        raise from_postgres(error) from error
    assert row is not None
    return row[0]


def query(raw: psycopg.Connection[Any], sql: str, params: Parameters) -> list[Row]:
    """Run one statement of the application and return its rows, each a dict by column label."""
    try:
        with raw.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_literal(sql), sql_parameters(params) or None)
            if cursor.description is None:
                return []
            labels = [column.name for column in cursor.description]
            return [dict(zip(labels, row, strict=True)) for row in cursor.fetchall()]
    except psycopg.Error as error:
        raise from_postgres(error) from error


def execute(raw: psycopg.Connection[Any], sql: str, params: Parameters) -> None:
    """Run one statement of the application that returns no rows."""
    try:
        with raw.cursor() as cursor:
            cursor.execute(_literal(sql), sql_parameters(params) or None)
            if cursor.description is not None:
                raise UnexpectedRowsError("execute() was given a statement that returns rows; use query()")
    except psycopg.Error as error:
        raise from_postgres(error) from error


def control(raw: psycopg.Connection[Any], sql: LiteralString) -> None:
    """Run BEGIN, COMMIT or ROLLBACK."""
    try:
        raw.execute(sql)
    except psycopg.Error as error:
        raise from_postgres(error) from error


def _literal(sql: str) -> LiteralString:
    """The statement as psycopg's types want it; it is never built from values."""
    return cast("LiteralString", sql)
