"""Transactions passed as ``tx=``: honker's own, and those of the application's driver."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any, Protocol

from honker.arguments import SQLValue, TransactionLike
from honker.errors import HonkerError, InvalidArgumentError, from_sqlite
from honker.sqlite import transaction
from honker.sqlite.database_file import DatabaseFile
from honker.sqlite.fate import ForeignFate, OwnFate
from honker.sqlite.transaction import SQLiteTransaction, check_own, scalar_in


class Session(Protocol):
    """A session that runs SQL functions in a transaction."""

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        """Run a function and return the first column of its only row."""


class _Own:
    """A session in honker's own transaction."""

    def __init__(self, tx: SQLiteTransaction) -> None:
        self._tx = tx

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        return scalar_in(self._tx, sql, params)


class _Foreign:
    """A session in the transaction of the application's ``sqlite3`` connection."""

    def __init__(self, raw: sqlite3.Connection, module: ModuleType, file: DatabaseFile) -> None:
        self._raw = raw
        self._module = module
        self._file = file

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        try:
            cursor = self._raw.cursor()
            cursor.row_factory = None  # the application's factory may return any type
            # Asked each time: a connection has no place for the answer, and cannot be referred to weakly.
            self._file.check_same(_text(self._path(cursor)))
            self._begin_as_python_would()
            return _text(cursor.execute(sql, params).fetchall()[0][0])
        except self._module.Error as error:
            raise _explain(from_sqlite(error)) from error

    def _path(self, cursor: sqlite3.Cursor) -> Any:
        """The path of the connection's database file."""
        try:
            return cursor.execute("SELECT honker_database_file()").fetchall()[0][0]
        except self._module.Error:
            # The connection has no functions of honker, or SQLite cannot read the file, for instance because a hard
            # link has another -wal. The PRAGMA reads nothing and costs more.
            return cursor.execute("PRAGMA database_list").fetchone()[2]

    def _begin_as_python_would(self) -> None:
        """Begin the transaction that an INSERT would begin here, so that the application's commit ends it."""
        if self._raw.in_transaction:
            return
        if self._raw.isolation_level is None or getattr(self._raw, "autocommit", None) is True:
            raise InvalidArgumentError(
                "tx is a connection in autocommit mode without an open transaction; begin one before you pass it"
            )
        self._raw.execute("BEGIN IMMEDIATE")


def _text(value: Any) -> Any:
    """A value of the connection, as text if its owner's ``text_factory`` made bytes or the like of it."""
    if type(value) is str or value is None or isinstance(value, (int, float)):
        return value
    return str(value) if isinstance(value, str) else bytes(value).decode()


def _explain(error: HonkerError) -> HonkerError:
    if "no such function" in str(error):
        return InvalidArgumentError(
            f"tx is a connection without honker's functions ({error}); "
            "call honker.load_extension(connection), or open it with honker.connect()"
        )
    return error


def session_of(tx: TransactionLike, module: ModuleType, file: DatabaseFile) -> Session:
    """The session that runs functions inside the transaction ``tx``.

    Raises:
        InvalidArgumentError: ``tx`` is of an unsupported type, or a transaction of another database than ``file``.
    """
    if isinstance(tx, SQLiteTransaction):
        check_own(tx, file)
        return _Own(tx)
    raw = _driver_connection(tx)
    if isinstance(raw, (sqlite3.Connection, module.Connection)):
        return _Foreign(raw, module if isinstance(raw, module.Connection) else sqlite3, file)
    raise InvalidArgumentError(
        f"tx is {type(tx).__name__}; pass a honker.Transaction, a sqlite3.Connection, a SQLAlchemy Connection or "
        "Session, or a Django connection"
    )


def fate_of(tx: TransactionLike, module: ModuleType) -> OwnFate | ForeignFate:
    """The end of the transaction ``tx``, which runs now."""
    if isinstance(tx, SQLiteTransaction):
        return transaction.fate_of(tx)
    return ForeignFate(_driver_connection(tx), (sqlite3.Error, module.Error))


def _driver_connection(tx: Any) -> Any:
    """The ``sqlite3`` connection below an ORM's; found by its attributes, so that no ORM needs to be installed."""
    if hasattr(tx, "get_bind") and callable(getattr(tx, "connection", None)):  # SQLAlchemy Session
        tx = tx.connection()
    if hasattr(tx, "exec_driver_sql"):  # SQLAlchemy Connection
        if not tx.in_transaction():
            tx.begin()  # as its own statements do; otherwise its commit() would do nothing
        return tx.connection.driver_connection
    if hasattr(tx, "ensure_connection"):  # Django
        tx.ensure_connection()
        return tx.connection
    return tx
