"""Transactions passed as ``tx=``: honker's own, and those of the application's connection to PostgreSQL."""

from __future__ import annotations

from typing import Any, cast

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from honker.arguments import SQLValue, TransactionLike
from honker.engine import drivers
from honker.engine.fate import ForeignFate, OwnFate
from honker.errors import HonkerError, InvalidArgumentError
from honker.postgres import session
from honker.postgres.failures import from_postgres
from honker.postgres.pool import Pool
from honker.postgres.statements import translated
from honker.postgres.transaction import PostgresTransaction


def scalar_in(tx: TransactionLike, pool: Pool, sql: str, params: tuple[SQLValue, ...]) -> Any:
    """Run a function inside the transaction ``tx`` and return its result.

    Raises:
        InvalidArgumentError: ``tx`` is of an unsupported type, or a transaction of another database.
    """
    if isinstance(tx, PostgresTransaction):
        return _own(tx, pool).scalar(sql, params)
    given = _given(tx)
    kind: str = type(tx).__name__
    is_async = drivers.is_async_session(given) or drivers.is_async_connection(given)
    if is_async or isinstance(given, psycopg.AsyncConnection):
        raise InvalidArgumentError(
            f"tx is {kind}, which is asynchronous; await the method whose name begins with a, as in "
            "await queue.aenqueue(payload, tx=tx), or call this one in run_sync"
        )
    connection = drivers.sqlalchemy_connection(given)
    raw = _raw(given if connection is None else connection, tx, pool)
    if isinstance(raw, psycopg.Connection):
        return session.scalar(raw, sql, params)
    return _through_sqlalchemy(connection, sql, params)


async def ascalar_in(tx: TransactionLike, pool: Pool, sql: str, params: tuple[SQLValue, ...]) -> Any:
    """Like `scalar_in`, for a method that is awaited; ``tx`` may be asynchronous.

    A statement on a synchronous connection of the application runs here: the connection may belong to this thread, and
    a statement in another one would outlive a cancelled task and join its next transaction.
    """
    if isinstance(tx, PostgresTransaction):
        return await _own(tx, pool).ascalar(sql, params)
    given = _given(tx)
    if drivers.is_async_session(given):
        given = await given.connection()
    if drivers.is_async_connection(given):

        def run(connection: Any) -> Any:
            return scalar_in(connection, pool, sql, params)

        return await given.run_sync(run)
    if isinstance(given, psycopg.AsyncConnection):
        return await _on_async_connection(_checked(given, pool), sql, params)
    return scalar_in(given, pool, sql, params)


def fate_of(tx: TransactionLike) -> OwnFate | ForeignFate:
    """The end of the transaction ``tx``, which runs now."""
    if isinstance(tx, PostgresTransaction):
        return tx.fate()
    raw: Any = drivers.driver_connection(_given(tx))
    return ForeignFate(_Status(raw), (psycopg.Error,))


class _Status:
    """A connection of psycopg, as `ForeignFate` asks it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    @property
    def in_transaction(self) -> bool:
        return not self._raw.closed and self._raw.info.transaction_status is not TransactionStatus.IDLE


def _own(tx: PostgresTransaction, pool: Pool) -> PostgresTransaction:
    if tx.pool.database != pool.database:
        raise InvalidArgumentError(f"tx is a transaction of {tx.pool.database}, and not of {pool.database}")
    return tx


def _given(tx: Any) -> Any:
    if isinstance(tx, (type, psycopg.Connection, psycopg.AsyncConnection)):
        return cast("Any", tx)
    return drivers.current(tx)


def _raw(given: Any, tx: Any, pool: Pool) -> psycopg.Connection[Any] | psycopg.AsyncConnection[Any]:
    raw = None if isinstance(given, type) else drivers.driver_connection(given)
    if not isinstance(raw, (psycopg.Connection, psycopg.AsyncConnection)):
        raise InvalidArgumentError(
            f"tx is {type(tx).__name__}; pass a honker.Transaction, a psycopg (3) Connection or "
            f"AsyncConnection, a SQLAlchemy "
            "Connection or Session on postgresql+psycopg://, or a Django connection inside transaction.atomic()"
        )
    return _checked(raw, pool)


def _checked(raw: Any, pool: Pool) -> Any:
    if raw.closed:
        raise InvalidArgumentError("tx is a connection that is closed")
    if raw.info.dbname != pool.database:
        raise InvalidArgumentError(
            f"tx is a transaction of the database {raw.info.dbname!r}, and not of {pool.database!r}"
        )
    if raw.autocommit and raw.info.transaction_status is TransactionStatus.IDLE:
        raise InvalidArgumentError(
            "tx is a connection in autocommit mode without an open transaction; begin one before you pass it"
        )
    return raw


def _through_sqlalchemy(connection: Any, sql: str, params: tuple[SQLValue, ...]) -> Any:
    """On a connection whose driver is asynchronous, and is awaited by SQLAlchemy."""
    text, given = translated(sql, params)
    try:
        return connection.exec_driver_sql(text, tuple(given)).scalar()
    except Exception as error:
        original = getattr(error, "orig", None)  # SQLAlchemy wraps the exceptions of drivers
        if isinstance(original, psycopg.Error):
            raise from_postgres(original) from error
        cause = getattr(original, "__cause__", None)
        if isinstance(cause, psycopg.Error):
            raise from_postgres(cause) from error
        raise


async def _on_async_connection(raw: psycopg.AsyncConnection[Any], sql: str, params: tuple[SQLValue, ...]) -> Any:
    try:
        async with raw.cursor(row_factory=tuple_row) as cursor:
            text, given = translated(sql, params)
            await cursor.execute(text, given)  # pyright: ignore[reportArgumentType] - built from no value
            row = await cursor.fetchone()
    except (psycopg.Error, UnicodeEncodeError) as error:
        failure: HonkerError = from_postgres(error)
        raise failure from error
    assert row is not None
    return row[0]
