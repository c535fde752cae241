"""An engine that runs each function on Django's own connection.

So a job commits or rolls back with the rows of the ``atomic()`` block around it. And a test, whose database Django has
put in the place of the real one, can only reach that database. Waits and workers need connections of their own, which
`ProcessEngine` opens to the same database.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import asyncio
from typing import Any, Final, NoReturn

import django.db
from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation

from honker.arguments import Call, Parameters, Row, SQLValue, TransactionLike
from honker.contrib.django.no_updates import NoUpdates
from honker.contrib.django.settings import database_alias, setting
from honker.contrib.django.transaction import DjangoTransaction
from honker.contrib.django.vendor import Vendor, vendor_of
from honker.engine import Element, Fate, LoopUpdates, Transaction, Updates
from honker.errors import InvalidArgumentError, NotBootstrappedError
from honker.opening import opener
from honker.postgres.location import without_password
from honker.sqlite.process_engine import ProcessEngine, ReopenedEngine

_CLOCK: Final = "SELECT honker_clock()"


def job_connection() -> Any:
    """Django's connection of this thread to the database of the jobs. Opens nothing."""
    return django.db.connections[database_alias()]


def configured_location() -> str:
    """The file or the URL of the jobs, from ``DATABASES``. Opens nothing.

    Raises:
        InvalidArgumentError: The database cannot hold the jobs, or no second connection can open it.
    """
    connection = job_connection()
    return vendor_of(connection).location(connection)


def open_engine(location: str, creates: bool) -> ReopenedEngine:
    """Open a file or a URL with the options of ``HONKER``."""
    return opener(setting("OPTIONS"))(location, creates)


class DjangoEngine(ProcessEngine):
    """The engine of a Django process; see the module.

    Attributes:
        is_worker: True if this process uses connections of honker outside of ``atomic()`` blocks.
    """

    is_worker: bool = False

    def __init__(self) -> None:
        super().__init__(configured_location, open_engine)

    @property
    def path(self) -> str:
        """The database file, the URL without its password, or the name of a test's database in memory."""
        connection = job_connection()
        return vendor_of(connection).path(connection)

    @property
    def identity(self) -> str:
        """The file's path with links resolved, or the host, port and name of the database."""
        connection = job_connection()
        return vendor_of(connection).identity(connection)

    @property
    def is_writing_here(self) -> bool:
        """False: calls in an ``atomic()`` block are part of it, so a block hinders none."""
        return False

    @property
    def is_commit_slow(self) -> bool:
        """True if `call_now` must not take the place of `acall`, because Django's connection would wait."""
        return super().is_commit_slow if self.is_worker else True

    def clock(self) -> float:
        """The engine's time in Unix seconds."""
        if self._aside or _is_on_a_loop():
            self._follow_settings()
            return super().clock()
        return self.ask(_CLOCK)

    # On Django's connection

    def call(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a function, in the open ``atomic()`` block if there is one, else committed by itself."""
        connection = self._connection_of(tx)
        if connection is None:
            self._follow_settings()
            return super().call(sql, *params, tx=tx)
        return run_function(connection, sql, *params)

    def ask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """The result of a function that only reads; it sees the uncommitted rows of this thread."""
        connection = self._connection_of(tx)
        if connection is None:
            self._follow_settings()
            return super().ask(sql, *params, tx=tx)
        return run_function(connection, sql, *params)

    async def acall(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `call`, in the thread where Django runs the database calls of coroutines."""
        if self.is_worker:
            return await super().acall(sql, *params, tx=tx)
        return await sync_to_async(self.call)(sql, *params, tx=tx)

    async def aask(self, sql: str, *params: SQLValue, tx: TransactionLike = None) -> Any:
        """Like `ask`, in the thread where Django runs the database calls of coroutines."""
        if self.is_worker:
            return await super().aask(sql, *params, tx=tx)
        return await sync_to_async(self.ask)(sql, *params, tx=tx)

    def call_now(self, sql: str, *params: SQLValue) -> Any:
        """As `call`; `is_commit_slow` keeps callers on an event loop away from it."""
        return super().call_now(sql, *params) if self.is_worker else self.call(sql, *params)

    def add(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Add a job or an event in a transaction."""
        if self._connection_of(tx) is None:
            self._follow_settings()
            return super().add(one, many, element, tx)
        return self.call(*one, tx=tx)

    async def aadd(self, one: Call, many: Call, element: Element, tx: TransactionLike) -> int:
        """Like `add`, in the thread where Django runs the database calls of coroutines."""
        if self._connection_of(tx) is None:
            self._follow_settings()
            return await super().aadd(one, many, element, tx)
        return await self.acall(*one, tx=tx)

    def fate(self, tx: TransactionLike) -> Fate:
        """The end of the transaction ``tx``, which runs now."""
        connection = job_connection()
        return vendor_of(connection).fate(connection if isinstance(tx, DjangoTransaction) else tx)

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """The rows of one statement of the application that only reads, in the dialect of the database."""
        return self._run(sql, params) or []

    def _run(self, sql: str, params: Parameters = None) -> list[Row] | None:
        """The rows of a statement of the application; None if it returns none."""
        connection = job_connection()
        vendor = vendor_of(connection)
        with connection.cursor() as cursor:
            try:
                cursor.execute(*vendor.statement(sql, params))
                if cursor.description is None:
                    return None
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            except django.db.Error as error:
                _raise(error, vendor)

    async def aquery(self, sql: str, params: Parameters = None) -> list[Row]:
        """Like `query`, in the thread where Django runs the database calls of coroutines."""
        return await sync_to_async(self.query)(sql, params)

    def _connection_of(self, tx: TransactionLike) -> Any:
        """Django's connection, or None if ``tx`` is a transaction of another one.

        Raises:
            InvalidArgumentError: ``tx`` is Django's connection, and no transaction is open in it.
        """
        connection = job_connection()
        if self._aside:  # in a block of `App.using`, with a file that Django does not know
            return None
        if tx is None:
            # The threads of a worker keep no connection of Django open, beside those of its tasks.
            return None if self.is_worker and (_is_on_a_loop() or not _is_in_transaction(connection)) else connection
        if isinstance(tx, DjangoTransaction):
            tx.check_active()
            return connection
        if getattr(tx, "alias", None) != connection.alias or not hasattr(tx, "in_atomic_block"):
            return None
        if not connection.in_atomic_block and connection.get_autocommit():
            raise InvalidArgumentError(
                f"tx is the connection {connection.alias!r} outside of transaction.atomic(), where each statement "
                "commits by itself; enter atomic() first, or leave tx out"
            )
        return connection

    # On connections of honker

    def transaction(self) -> Transaction:
        """An ``atomic()`` block on Django's connection; on an event loop a transaction on a connection of honker."""
        if self._aside or _is_on_a_loop():
            self._follow_settings()
            return super().transaction()
        return DjangoTransaction(database_alias(), self._run, self.call)

    def updates(self, *, overhears: bool = False) -> Updates:
        """Begin to notice commits of any connection in any process, from this moment on."""
        if self._is_alone():
            return NoUpdates()
        self._follow_settings()
        return super().updates(overhears=overhears)

    def loop_updates(self) -> LoopUpdates:
        """As `updates`, for one of many waiters on the running event loop."""
        if self._is_alone():
            return NoUpdates()
        self._follow_settings()
        return super().loop_updates()

    def _is_alone(self) -> bool:
        """True if no other connection can add the rows that this thread would wait for."""
        if self._aside:
            return False
        connection = job_connection()
        return connection.in_atomic_block or vendor_of(connection).is_private(connection)

    def _follow_settings(self) -> None:
        """Close a database that is no longer the one of the settings: a test runner has replaced it."""
        with self._mutex:
            if self._engine is not None and self._engine.path != without_password(self._find_path()):
                self.close()


def _is_in_transaction(connection: Any) -> bool:
    """True if the application has begun a transaction on this connection."""
    return connection.in_atomic_block or (connection.connection is not None and not connection.autocommit)


def _is_on_a_loop() -> bool:
    """True on a thread that runs an event loop, where Django refuses to use a connection."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _cursor_of(connection: Any) -> Any:
    try:
        return connection.cursor()
    except SynchronousOnlyOperation as error:
        raise SynchronousOnlyOperation(
            f"{error} honker's methods whose names begin with a do that: await task.aenqueue(...)"
        ) from None


def run_function(connection: Any, sql: str, *params: SQLValue) -> Any:
    """Run a SQL function on a connection of Django, and return its result.

    Through Django's cursor, which logs, checks the thread, and refuses a block that must roll back.
    """
    vendor = vendor_of(connection)
    with _cursor_of(connection) as cursor:
        try:
            if not connection.get_autocommit() and not connection.in_atomic_block:
                vendor.begin_manual(connection, cursor)
            cursor.execute(*vendor.function(sql, params))
            return cursor.fetchall()[0][0]
        except django.db.Error as error:
            _raise(error, vendor)


def _raise(error: django.db.Error, vendor: Vendor) -> NoReturn:
    explained = vendor.error_of(error.__cause__)
    if explained is None:
        raise error  # of Django itself: a block that must roll back, or a connection of another thread
    if isinstance(explained, NotBootstrappedError):
        explained = NotBootstrappedError(f"{explained}; run: python manage.py migrate --database {database_alias()}")
    raise explained from error
