"""Transactions passed as ``tx=``: honker's own, and those of the application's driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from types import ModuleType
from typing import Any, Protocol, TypeAlias

from honker.arguments import SQLValue, TransactionLike
from honker.engine import drivers
from honker.engine.fate import ForeignFate, OwnFate
from honker.errors import HonkerError, InvalidArgumentError, from_sqlite
from honker.sqlite import transaction
from honker.sqlite.database_file import DatabaseFile
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


#: A statement to run on the application's connection, which is answered with its rows, or with the driver's error.
Script: TypeAlias = Generator["tuple[str, tuple[SQLValue, ...]]", "list[Any]", Any]


def script(raw: Any, file: DatabaseFile, sql: str, params: tuple[SQLValue, ...]) -> Script:
    """The statements of a function call in the transaction of the application; the result is the function's.

    Each driver runs them in its own way: at once, through SQLAlchemy, or on the thread of an asynchronous driver.

    Args:
        raw: The connection, of which only its state is read here.
        file: The file that it must be open on.
        sql: The call of a function.
        params: Its arguments.
    """
    has_functions = True
    try:
        # Asked each time: a connection has no place for the answer, and cannot be referred to weakly.
        rows = yield "SELECT honker_database_file()", ()
        path = rows[0][0]
    except Exception as error:
        # The connection has no functions of honker, or SQLite cannot read the file, for instance because a hard
        # link has another -wal. The PRAGMA reads nothing and costs more.
        has_functions = "no such function" not in str(error)
        path = (yield "PRAGMA database_list", ())[0][2]
    file.check_same(_text(path))
    if has_functions and not raw.in_transaction:
        # Begin the transaction that an INSERT would begin here, so that the application's commit ends it.
        if raw.isolation_level is None or getattr(raw, "autocommit", None) is True:
            raise InvalidArgumentError(
                "tx is a connection in autocommit mode without an open transaction; begin one before you pass it"
            )
        yield "BEGIN IMMEDIATE", ()
    return _text((yield sql, params)[0][0])


class _Foreign:
    """A session in the transaction of the application's ``sqlite3`` connection."""

    def __init__(self, raw: sqlite3.Connection, module: ModuleType, file: DatabaseFile, remedy: str) -> None:
        self._raw = raw
        self._module = module
        self._file = file
        self._remedy = remedy

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        try:
            cursor = self._raw.cursor()
            cursor.row_factory = None  # the application's factory may return any type
            run = script(self._raw, self._file, sql, params)
            return play(run, lambda sql, params: cursor.execute(sql, params).fetchall())
        except self._module.Error as error:
            raise explain(from_sqlite(error), self._remedy) from error


class _SQLAlchemy:
    """A session in the transaction of a SQLAlchemy connection whose driver is not ``sqlite3``, such as aiosqlite.

    In a coroutine it runs in ``run_sync``, where SQLAlchemy awaits the driver.
    """

    def __init__(self, connection: Any, file: DatabaseFile) -> None:
        self._connection = connection
        self._file = file

    def scalar(self, sql: str, params: tuple[SQLValue, ...]) -> Any:
        raw = self._connection.connection.driver_connection
        try:
            return play(script(raw, self._file, sql, params), self._run)
        except Exception as error:
            # SQLAlchemy wraps the exceptions of drivers.
            original = getattr(error, "orig", None)
            if isinstance(original, Exception):
                raise explain(from_sqlite(original), _OF_SQLALCHEMY) from error
            raise

    def _run(self, sql: str, params: tuple[SQLValue, ...]) -> list[Any]:
        # Not on the driver's connection, which belongs to its thread.
        result = self._connection.exec_driver_sql(sql, params)
        return result.fetchall() if result.returns_rows else []


def play(statements: Script, run: Callable[[str, tuple[SQLValue, ...]], list[Any]]) -> Any:
    """Run the statements of a `script`, and return its result."""
    try:
        statement = next(statements)
        while True:
            try:
                rows = run(*statement)
            except Exception as error:
                statement = statements.throw(error)
            else:
                statement = statements.send(rows)
    except StopIteration as end:
        return end.value


def _text(value: Any) -> Any:
    """A value of the connection, as text if its owner's ``text_factory`` made bytes or the like of it."""
    if type(value) is str or value is None or isinstance(value, (int, float)):
        return value
    return str(value) if isinstance(value, str) else bytes(value).decode()


#: How a connection of each kind gets honker's functions.
_OF_SQLALCHEMY = (
    "call honker.contrib.sqlalchemy.install(engine) once, where the engine is made, or "
    "honker.register_auto_extension() before it connects"
)
_OF_SQLITE3 = (
    "call honker.register_auto_extension() before the application opens connections, or "
    "honker.load_extension(connection), or open it with honker.connect()"
)
OF_AIOSQLITE = "call honker.register_auto_extension() once, before the application opens connections"


def explain(error: HonkerError, remedy: str) -> HonkerError:
    """The error to raise instead of one of a foreign connection.

    Args:
        error: The error of its statement.
        remedy: The way in which a connection of its kind gets honker's functions.
    """
    if "no such function" in str(error):
        return InvalidArgumentError(f"tx is a connection without honker's functions ({error}); {remedy}")
    return error


def session_of(tx: TransactionLike, module: ModuleType, file: DatabaseFile) -> Session:
    """The session that runs functions inside the transaction ``tx``.

    Raises:
        InvalidArgumentError: ``tx`` is of an unsupported type, or a transaction of another database than ``file``.
    """
    if isinstance(tx, SQLiteTransaction):
        check_own(tx, file)
        return _Own(tx)
    if isinstance(tx, type):
        raise _unsupported(tx)
    tx = drivers.current(tx)
    if drivers.is_asynchronous(tx):
        raise InvalidArgumentError(
            f"tx is {type(tx).__name__}, which is asynchronous; await the method whose name begins with a, as in "
            "await queue.aenqueue(payload, tx=tx) or await task.enqueue_with(tx=tx).aenqueue(...), or call this one in "
            "run_sync"
        )
    connection = drivers.sqlalchemy_connection(tx)
    raw = drivers.driver_connection(tx if connection is None else connection)
    if isinstance(raw, (sqlite3.Connection, module.Connection)):
        remedy = _OF_SQLITE3 if connection is None else _OF_SQLALCHEMY
        return _Foreign(raw, module if isinstance(raw, module.Connection) else sqlite3, file, remedy)
    if connection is not None and drivers.is_sqlite(connection):
        return _SQLAlchemy(connection, file)
    raise _unsupported(tx)


def _unsupported(tx: Any) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"tx is {type(tx).__name__}; pass a honker.Transaction, a sqlite3.Connection, an aiosqlite.Connection, a "
        "SQLAlchemy Connection or Session, or a Django connection inside transaction.atomic()"
    )


def fate_of(tx: TransactionLike, module: ModuleType) -> OwnFate | ForeignFate:
    """The end of the transaction ``tx``, which runs now."""
    if isinstance(tx, SQLiteTransaction):
        return transaction.fate_of(tx)
    # ValueError: of a closed connection of aiosqlite.
    return ForeignFate(drivers.driver_connection(drivers.current(tx)), (sqlite3.Error, module.Error, ValueError))
