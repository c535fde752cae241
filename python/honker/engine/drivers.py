"""The connections and sessions of other libraries, told apart by their attributes: no library needs to be installed."""

from __future__ import annotations

from typing import Any


def current(tx: Any) -> Any:
    """The object that ``tx`` stands for.

    For a registry, such as SQLAlchemy's ``scoped_session``, that is the session of this thread or task. For a
    connection of SQLAlchemy's pool, as ``engine.raw_connection()`` returns, it is that of the driver.
    """
    if hasattr(tx, "dbapi_connection") and getattr(tx, "driver_connection", None) is not None:
        return tx.driver_connection
    registry = getattr(tx, "registry", None)
    return registry() if callable(registry) and hasattr(tx, "remove") else tx


def is_asynchronous(tx: Any) -> bool:
    """True if its statements have to be awaited."""
    return is_async_session(tx) or is_async_connection(tx) or is_aiosqlite(tx)


def is_async_session(tx: Any) -> bool:
    """True for an ``AsyncSession`` of SQLAlchemy."""
    return hasattr(tx, "sync_session") and hasattr(tx, "run_sync")


def is_async_connection(tx: Any) -> bool:
    """True for an ``AsyncConnection`` of SQLAlchemy."""
    return hasattr(tx, "sync_connection") and hasattr(tx, "run_sync")


def is_aiosqlite(tx: Any) -> bool:
    """True for a connection of aiosqlite."""
    return hasattr(tx, "execute_fetchall") and hasattr(tx, "in_transaction")


def is_sqlite(connection: Any) -> bool:
    """True if a SQLAlchemy connection leads to SQLite."""
    return getattr(getattr(connection, "dialect", None), "name", None) == "sqlite"


def sqlalchemy_connection(tx: Any) -> Any | None:
    """The SQLAlchemy ``Connection`` of a connection or session, in a transaction; None for other objects."""
    if hasattr(tx, "get_bind") and callable(getattr(tx, "connection", None)):
        tx = tx.connection()
    if not hasattr(tx, "exec_driver_sql"):
        return None
    if not tx.in_transaction():
        tx.begin()  # as its own statements do; otherwise its commit() would do nothing
    return tx


def driver_connection(tx: Any) -> Any:
    """The driver's connection below that of another library."""
    if is_async_session(tx):
        tx = tx.sync_session
    elif is_async_connection(tx):
        tx = tx.sync_connection
    connection = sqlalchemy_connection(tx)
    if connection is not None:
        return connection.connection.driver_connection
    if hasattr(tx, "ensure_connection"):  # Django
        tx.ensure_connection()
        return tx.connection
    if hasattr(tx, "atomic") and hasattr(tx, "is_closed") and callable(getattr(tx, "connection", None)):  # peewee
        return tx.connection()
    return tx
