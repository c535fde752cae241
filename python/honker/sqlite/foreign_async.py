"""Transactions of asynchronous drivers, passed as ``tx=`` to a method that is awaited."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any

from honker.arguments import SQLValue, TransactionLike
from honker.engine import drivers
from honker.errors import from_sqlite
from honker.sqlite.database_file import DatabaseFile
from honker.sqlite.foreign import OF_AIOSQLITE, explain, script, session_of
from honker.sqlite.transaction import SQLiteTransaction


async def ascalar_in(
    tx: TransactionLike, module: ModuleType, file: DatabaseFile, sql: str, params: tuple[SQLValue, ...]
) -> Any:
    """Run a function inside the transaction ``tx`` and return its result.

    The statement runs on the thread of an asynchronous driver. On a synchronous connection it runs here, and waits here
    for the write lock if the transaction does not hold it: such a connection may belong to this thread, and a
    statement in another one would outlive a cancelled task and join its next transaction.

    Raises:
        InvalidArgumentError: ``tx`` is of an unsupported type, or a transaction of another database than ``file``.
    """
    given: Any = tx
    if not isinstance(given, (SQLiteTransaction, type)):
        given = drivers.current(given)
        if drivers.is_async_session(given):
            given = await given.connection()
        if drivers.is_async_connection(given):

            def run(connection: Any) -> Any:
                return session_of(connection, module, file).scalar(sql, params)

            return await given.run_sync(run)
        if drivers.is_aiosqlite(given):
            return await _on_aiosqlite(given, file, sql, params)
    return session_of(tx, module, file).scalar(sql, params)


async def _on_aiosqlite(connection: Any, file: DatabaseFile, sql: str, params: tuple[SQLValue, ...]) -> Any:
    try:
        async with connection.cursor() as cursor:
            cursor.row_factory = None  # the application's factory may return any type
            statements = script(connection, file, sql, params)
            statement = next(statements)
            while True:
                try:
                    await cursor.execute(*statement)
                    rows = await cursor.fetchall()
                except sqlite3.Error as error:
                    statement = statements.throw(error)
                else:
                    statement = statements.send(rows)
    except StopIteration as end:
        return end.value
    except sqlite3.Error as error:
        raise explain(from_sqlite(error), OF_AIOSQLITE) from error
