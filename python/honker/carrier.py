"""Whatever the caller's ``tx=`` is, as something that runs SQL functions inside its transaction."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any, Protocol

from honker.errors import HonkerError, InvalidArgumentError, from_sqlite
from honker.transaction import Transaction
from honker.types import SQLValue, TransactionLike


class Carrier(Protocol):
    """What can run a SQL function as part of a transaction."""

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        """The first column of the only row."""


class _Joined:
    """The transaction of somebody else's ``sqlite3`` connection."""

    def __init__(self, raw: sqlite3.Connection, module: ModuleType) -> None:
        self._raw = raw
        self._module = module

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        try:
            self._begin_as_python_would()
            cursor = self._raw.cursor()
            cursor.row_factory = None  # the owner's may make anything of a row
            value = cursor.execute(sql, params).fetchall()[0][0]
        except self._module.Error as error:
            raise _explain_join(from_sqlite(error)) from error
        return value.decode() if isinstance(value, bytes) else value  # the owner's text_factory may be bytes

    def _begin_as_python_would(self) -> None:
        """Begin the transaction that an INSERT would have begun here, so that the owner's commit decides."""
        if self._raw.in_transaction:
            return
        if self._raw.isolation_level is None or getattr(self._raw, "autocommit", None) is True:
            raise InvalidArgumentError(
                "tx is a connection in autocommit mode without an open transaction; begin one before you pass it"
            )
        self._raw.execute("BEGIN IMMEDIATE")


def _explain_join(error: HonkerError) -> HonkerError:
    if "no such function" in str(error):
        return InvalidArgumentError(
            f"tx is a connection without honker's functions ({error}); "
            "call honker.load_extension(connection), or open it with honker.connect()"
        )
    return error


def carrier(tx: TransactionLike, module: ModuleType) -> Carrier:
    """Whatever ``tx`` is, as something that runs SQL functions inside its transaction.

    Raises:
        InvalidArgumentError: It is none of the kinds of transaction that honker knows.
    """
    if isinstance(tx, Transaction):
        return tx
    raw = _driver_connection(tx)
    if isinstance(raw, (sqlite3.Connection, module.Connection)):
        return _Joined(raw, module if isinstance(raw, module.Connection) else sqlite3)
    raise InvalidArgumentError(
        f"tx is {type(tx).__name__}; pass a honker.Transaction, a sqlite3.Connection, a SQLAlchemy Connection or "
        "Session, or a Django connection"
    )


def _driver_connection(tx: Any) -> Any:
    """The ``sqlite3`` connection below an ORM's; told by shape, so that no ORM need be installed."""
    if hasattr(tx, "get_bind") and callable(getattr(tx, "connection", None)):  # SQLAlchemy Session
        tx = tx.connection()
    if hasattr(tx, "exec_driver_sql"):  # SQLAlchemy Connection
        if not tx.in_transaction():
            tx.begin()  # as its own statements would: otherwise its commit() finds nothing to commit
        return tx.connection.driver_connection
    if hasattr(tx, "ensure_connection"):  # Django
        tx.ensure_connection()
        return tx.connection
    return tx
