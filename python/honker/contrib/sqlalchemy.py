"""honker in the transactions of SQLAlchemy, for ``Engine`` and ``AsyncEngine`` with any pool.

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

import honker
import honker.contrib.sqlalchemy

app = honker.App("shop.db")
engine = create_engine("sqlite:///shop.db")
honker.contrib.sqlalchemy.install(engine)

with Session(engine) as session, session.begin():
    session.add(order)
    session.flush()  # gives the order its id
    send_receipt.enqueue_with(tx=session)(order.id)  # exists if and only if the order does
"""

from __future__ import annotations

import asyncio
import contextvars
import operator
import os
import threading
import time
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from honker.errors import InvalidArgumentError
from honker.sqlite.auto_extension import register_auto_extension
from honker.sqlite.connection import BUSY_TIMEOUT_S
from honker.sqlite.extension_file import extension_info
from honker.sqlite.fork import Held, check_inherited, identity_of, inherit, make_immortal
from honker.sqlite.held_elsewhere import add_probe
from honker.sqlite.path import file_of
from honker.sqlite.write_lock import current_task

#: The execution option that begins a transaction with the write lock, or without it.
IMMEDIATE_OPTION: Final = "honker_immediate"

# In the `info` of a pool's entry, which SQLAlchemy clears when the entry gets another connection.
_IS_PREPARED: Final = "honker_is_prepared"
_SCHEMA_VERSION: Final = "PRAGMA schema_version"
_RETRY_S: Final = 0.005


def install(engine: Engine | AsyncEngine, *, immediate: bool = False) -> None:
    """Give every connection of an engine honker's functions, so that its sessions can be passed as ``tx=``.

    The first connection switches the file to WAL mode, which is permanent, and creates honker's tables. Call it where
    the engine is created. A second call only changes ``immediate``.

    SQLite begins a transaction without the write lock and takes it at the first write. With ``immediate``, a
    transaction takes it at its beginning (``BEGIN IMMEDIATE``): no later statement then fails because of another
    writer, but transactions that only read wait for writers, too. The execution option ``honker_immediate`` overrides
    it for an engine, a connection or a session's connection:

        reading = engine.execution_options(honker_immediate=False)
        session.connection(execution_options={"honker_immediate": True})

    Where Python's ``sqlite3`` cannot load extensions, all connections that the process opens from now on get the
    functions, see `honker.register_auto_extension`.

    An engine on ``postgresql+psycopg://`` is left as it is: its sessions can be passed as ``tx=`` without this.

    After a fork, the child uses new connections, and leaves those of its parent alone. It gets a `ForkError` if a
    connection of the parent was in use at the fork.

    Args:
        engine: An engine on a SQLite file, or on PostgreSQL with psycopg.
        immediate: Begin every transaction with the write lock. PostgreSQL has none.

    Raises:
        InvalidArgumentError: ``engine`` is an engine on another database, or with another driver of PostgreSQL.
        ExtensionNotFoundError: The library is missing.
    """
    sync_engine = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    if not isinstance(sync_engine, Engine):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
        raise InvalidArgumentError(f"engine is {type(engine).__name__}; pass a SQLAlchemy Engine or AsyncEngine")
    if sync_engine.dialect.name == "postgresql" and sync_engine.dialect.driver == "psycopg":
        return  # The functions are in the database.
    if sync_engine.dialect.name != "sqlite":
        raise InvalidArgumentError(
            f"engine is on {sync_engine.dialect.name}+{sync_engine.dialect.driver}; honker needs an engine on a SQLite "
            "file, or on PostgreSQL by postgresql+psycopg://"
        )
    known = _installations.get(sync_engine)
    if known is not None:
        known.immediate = immediate
        return
    _installations[sync_engine] = _Installation(sync_engine, immediate=immediate)


def include_name(name: str | None, type_: str, parent_names: Any) -> bool:
    """Leave honker's tables out of Alembic's autogenerate, which would drop them.

    Pass it to ``context.configure(include_name=...)`` in ``env.py``. Alembic then reads these tables only if the file
    has no others, and SQLAlchemy may warn of their indexes on expressions. An ``include_name`` of yours calls this one:

        def include_name(*args):
            return honker.contrib.sqlalchemy.include_name(*args) and mine(*args)

    Returns:
        False for a table of honker.
    """
    del parent_names
    return type_ != "table" or not _is_ours(name)


def include_object(obj: Any, name: str | None, type_: str, reflected: bool, compare_to: Any) -> bool:
    """Leave honker's tables out of Alembic's autogenerate, as `include_name` does.

    For ``context.configure(include_object=...)``. Alembic always reads the tables before it asks.

    Returns:
        False for a table of honker and everything that belongs to it.
    """
    del reflected, compare_to
    return not _is_ours(name if type_ == "table" else getattr(getattr(obj, "table", None), "name", None))


def _is_ours(table: str | None) -> bool:
    # The first words of every table of honker; the names themselves are known to the core only.
    return table is not None and table.split("_")[:2] == ["", "honker"]


class _Opened(NamedTuple):
    """A connection that SQLAlchemy has open, and its file if it has one."""

    entry: ConnectionPoolEntry
    driver_connection: Any
    held: Held | None


class _Installation:
    """The listeners of an engine.

    Attributes:
        immediate: The engine's default for `IMMEDIATE_OPTION`.
    """

    def __init__(self, engine: Engine, *, immediate: bool) -> None:
        self.immediate = immediate
        self._pid = os.getpid()
        self._opened: dict[int, _Opened] = {}
        # The file that is in WAL mode and has honker's tables: device and inode, which a new file may share with a
        # deleted one, and the number of changes of its schema.
        self._ready: tuple[tuple[int, int] | None, int] | None = None
        dbapi: Any = engine.dialect.dbapi
        module = getattr(dbapi, "sqlite", dbapi)  # `sqlite3` below the adapter of aiosqlite
        self._is_loading = hasattr(module.Connection, "enable_load_extension")
        if not self._is_loading:
            register_auto_extension()
        event.listen(engine, "do_connect", _check_inherited)
        event.listen(engine, "connect", self._prepare)
        event.listen(engine, "checkout", self._prepare_older)
        event.listen(engine, "close", self._forget)
        event.listen(engine, "close_detached", self._forget)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "checkin", _note_return)

    def _prepare(self, dbapi_connection: Any, entry: ConnectionPoolEntry) -> None:
        """Load the functions into a new connection, and prepare its file."""
        driver_connection = entry.driver_connection
        assert driver_connection is not None
        # With ``autocommit=False``, Python 3.12 and later begin a transaction at once, which would prevent WAL mode.
        is_begun = bool(driver_connection.in_transaction)
        if is_begun:
            _scalar(dbapi_connection, "COMMIT")
        if self._is_loading:
            _load(dbapi_connection)
        path: str = _scalar(dbapi_connection, "SELECT honker_database_file()")
        self._prepare_file(dbapi_connection, path)
        if is_begun:
            _scalar(dbapi_connection, "BEGIN")
        held = Held(path, identity_of(path) or (0, 0), identity_of(path + "-shm")) if path else None
        self._opened[id(dbapi_connection)] = _Opened(entry, driver_connection, held)
        entry.info[_IS_PREPARED] = True

    def _prepare_file(self, dbapi_connection: Any, path: str) -> None:
        """Enter WAL mode and create honker's tables, unless a connection of this engine has done so.

        It happens here, and not when the application first uses honker: that may be in a transaction of a session,
        which holds the write lock that honker's own connection would wait for.
        """
        if path and self._ready == (identity_of(path), _scalar(dbapi_connection, _SCHEMA_VERSION)):
            return
        if path:
            _enter_wal(dbapi_connection)
        _scalar(dbapi_connection, "SELECT honker_bootstrap()")
        self._ready = identity_of(path), _scalar(dbapi_connection, _SCHEMA_VERSION)

    def _prepare_older(self, dbapi_connection: Any, entry: ConnectionPoolEntry, proxy: Any) -> None:
        """Prepare a connection that the pool had opened before `install`."""
        del proxy
        if _IS_PREPARED in entry.info:
            return
        if not self._is_loading:
            raise DisconnectionError("the connection is older than honker's auto extension")  # the pool opens another
        self._prepare(dbapi_connection, entry)

    def _forget(self, dbapi_connection: Any, entry: Any = None) -> None:
        del entry
        opened = self._opened.pop(id(dbapi_connection), None)
        if opened is not None:
            _note_end(opened.driver_connection)

    def _begin(self, conn: Connection) -> None:
        options = conn.get_execution_options()
        if _is_autocommit(conn):
            return
        driver_connection = conn.connection.driver_connection
        assert driver_connection is not None
        is_immediate = bool(options.get(IMMEDIATE_OPTION, self.immediate))
        opened = self._opened.get(id(conn.connection.dbapi_connection))
        if opened is not None and opened.held is not None:
            _note_begun(driver_connection, opened.held.path, is_immediate=is_immediate)
        if not is_immediate:
            return
        if driver_connection.in_transaction:  # empty: begun by ``autocommit=False`` or another listener of "begin"
            conn.exec_driver_sql("COMMIT")
        conn.exec_driver_sql("BEGIN IMMEDIATE")

    def leave_to_parent(self, engine: Engine) -> None:
        """Abandon the inherited connections in a forked child; see `honker.sqlite.fork`."""
        for entry, driver_connection, held in self._opened.values():
            was_idle = not entry.in_use and not driver_connection.in_transaction
            make_immortal(driver_connection)
            _note_end(driver_connection)
            if held is not None:
                inherit(held, parent_pid=self._pid, was_idle=was_idle)
        self._opened.clear()
        self._pid = os.getpid()
        engine.dispose(close=False)


@dataclass(eq=False, slots=True)
class _Begun:
    """A transaction that SQLAlchemy has begun.

    Attributes:
        driver_connection: The driver's connection; None once it has returned to its pool or begun another transaction.
        path: Its file.
        thread_id: The thread that has begun it.
        task: The asyncio task that has begun it, if any.
        changes: The rows that the connection had changed before; None if it has the write lock from its beginning.
    """

    driver_connection: Any
    path: str
    thread_id: int
    task: asyncio.Task[Any] | None
    changes: int | None

    def is_held_by(self, thread_id: int, task: asyncio.Task[Any] | None, *, is_blocking: bool) -> bool:
        """True if a wait of this thread or task for the write lock would be a wait for itself.

        An awaited call waits without the thread, so only its own task is certain not to end the transaction meanwhile.
        """
        is_here = self.thread_id == thread_id if is_blocking else self.task is task
        return is_here and self.has_write_lock

    @property
    def has_write_lock(self) -> bool:
        """True if it has written, or has taken the lock at its beginning, and has not ended."""
        try:
            if self.driver_connection is None or not self.driver_connection.in_transaction:
                return False
            return self.changes is None or self.driver_connection.total_changes > self.changes
        except Exception:  # Closed; each driver has its own error.
            return False


#: The last transaction of each connection that is lent by its pool, by the id of the driver's connection.
_latest: Final[dict[int, _Begun]] = {}

#: The transactions that were begun in this context and may not have ended. A thread alone does not tell: that of a pool
#: serves requests in turn, and the session of a request may be used by several threads of the pool.
_begun: Final[contextvars.ContextVar[tuple[_Begun, ...]]] = contextvars.ContextVar("honker_begun", default=())


def _note_begun(driver_connection: Any, path: str, *, is_immediate: bool) -> None:
    _note_end(driver_connection)
    changes = None if is_immediate else driver_connection.total_changes
    begun = _Begun(driver_connection, path, threading.get_ident(), current_task(), changes)
    _latest[id(driver_connection)] = begun
    _begun.set((*(each for each in _begun.get() if each.has_write_lock), begun))


def _note_return(dbapi_connection: Any, entry: ConnectionPoolEntry) -> None:
    """Forget the transaction of a connection that returns to its pool, or is closed."""
    del dbapi_connection
    _note_end(entry.driver_connection)


def _note_end(driver_connection: Any) -> None:
    begun = _latest.pop(id(driver_connection), None)
    if begun is not None:
        begun.driver_connection = None  # A context that outlives it would keep it open.


def _holder_here(path: str, is_blocking: bool) -> str | None:
    """The probe of `honker.sqlite.held_elsewhere`."""
    begun = _begun.get()
    if not begun:
        return None
    thread_id, task = threading.get_ident(), current_task()
    is_held = any(each.path == path and each.is_held_by(thread_id, task, is_blocking=is_blocking) for each in begun)
    return "SQLAlchemy connection" if is_held else None


add_probe(_holder_here)


_installations: Final[weakref.WeakKeyDictionary[Engine, _Installation]] = weakref.WeakKeyDictionary()


def _leave_to_parent() -> None:
    for engine, installation in list(_installations.items()):
        installation.leave_to_parent(engine)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def _check_inherited(dialect: Any, entry: Any, arguments: Any, options: Any) -> None:
    """Refuse to open a file that the parent was using at the fork."""
    del dialect, entry, options
    path = arguments[0] if arguments else ""
    if isinstance(path, str) and path not in {"", ":memory:"}:
        check_inherited(str(file_of(path)))


def _scalar(dbapi_connection: Any, sql: str, *params: str) -> Any:
    """The first column of a statement's only row; None without a row."""
    cursor = dbapi_connection.cursor()
    try:
        cursor.execute(sql, params)
        row = cursor.fetchone() if cursor.description else None
    finally:
        cursor.close()
    return None if row is None else row[0]


def _load(dbapi_connection: Any) -> None:
    _switch_loading(dbapi_connection, is_on=True)
    try:
        _scalar(dbapi_connection, "SELECT load_extension(?, ?)", *extension_info())
    finally:
        _switch_loading(dbapi_connection, is_on=False)


def _switch_loading(dbapi_connection: Any, *, is_on: bool) -> None:
    if hasattr(dbapi_connection, "run_async"):  # the adapter of aiosqlite, whose connection lives in a thread
        dbapi_connection.run_async(operator.methodcaller("enable_load_extension", is_on))
    else:
        dbapi_connection.enable_load_extension(is_on)


def _enter_wal(dbapi_connection: Any) -> None:
    """Switch the file to WAL mode, as `honker.open` does. SQLite does not wait for the exclusive lock that it needs."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while _scalar(dbapi_connection, "PRAGMA journal_mode") != "wal":
        try:
            _scalar(dbapi_connection, "PRAGMA journal_mode = WAL")
        except Exception as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            _pause(dbapi_connection)
        else:
            return


def _pause(dbapi_connection: Any) -> None:
    if hasattr(dbapi_connection, "run_async"):

        def sleep(_: object) -> Coroutine[Any, Any, None]:
            return asyncio.sleep(_RETRY_S)

        dbapi_connection.run_async(sleep)
    else:
        time.sleep(_RETRY_S)


def _is_autocommit(conn: Connection) -> bool:
    """True if SQLAlchemy's isolation level for the connection is AUTOCOMMIT, in which nothing begins."""
    level = conn.get_execution_options().get("isolation_level")
    return (level or getattr(conn.dialect, "_on_connect_isolation_level", None)) == "AUTOCOMMIT"
