"""The parts of this app that depend on the database: SQLite or PostgreSQL.

``connection.vendor`` is Django's word for the kind of a database.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from django.db import connections

from honker.arguments import Parameters, SQLValue
from honker.contrib.django.settings import database_alias
from honker.engine import Fate
from honker.errors import HonkerError, InvalidArgumentError


class Vendor(Protocol):
    """A kind of database that can hold the jobs. ``connection`` is always Django's.

    Attributes:
        jobs_table: The view of live and dead jobs, as ``db_table`` of a model.
    """

    jobs_table: str

    def problem(self) -> str | None:
        """The reason why this kind of database cannot be used in this process; None if it can."""
        ...

    def location(self, connection: Any) -> str:
        """The path or the URL by which honker's own connections open it. Opens nothing.

        Raises:
            InvalidArgumentError: Another connection cannot open it.
        """
        ...

    def path(self, connection: Any) -> str:
        """The database as it may be shown, also one that no other connection can open."""
        ...

    def identity(self, connection: Any) -> str:
        """The same text for every handle on this database; see `honker.engine.Engine`."""
        ...

    def is_private(self, connection: Any) -> bool:
        """True if no other connection can open the database."""
        ...

    def function(self, sql: str, params: Sequence[SQLValue]) -> tuple[str, Sequence[Any]]:
        """A call of the contract, as Django's cursor takes it."""
        ...

    def statement(self, sql: str, params: Parameters) -> tuple[str, Any]:
        """A statement of the application, as Django's cursor takes it."""
        ...

    def begin_manual(self, connection: Any, cursor: Any) -> None:
        """Begin the transaction that ``set_autocommit(False)`` promises."""
        ...

    def error_of(self, cause: BaseException | None) -> HonkerError | None:
        """The honker error for an exception of the driver; None for any other exception."""
        ...

    def fate(self, tx: Any) -> Fate:
        """The end of the transaction of a connection, which runs now."""
        ...

    def install(self, connection: Any) -> None:
        """Make all that ``honker_bootstrap`` needs."""
        ...

    def empty(self, connection: Any) -> None:
        """Delete jobs, events and all other rows of honker, and keep the tables."""
        ...

    def task_name(self) -> Any:
        """The task that a job calls, as an expression of a query on the model `Job`; NULL without one."""
        ...


def vendor_of(connection: Any) -> Vendor:
    """The kind of the database of a connection.

    Raises:
        InvalidArgumentError: It cannot hold the jobs.
    """
    vendor = find_vendor(connection)
    if vendor is None:
        raise InvalidArgumentError(
            f"DATABASES[{connection.alias!r}] is a {connection.display_name} database; the jobs of "
            'honker.contrib.django need SQLite or PostgreSQL: name its alias in HONKER = {"DATABASE": ...}'
        )
    problem = vendor.problem()
    if problem is not None:
        raise InvalidArgumentError(f"DATABASES[{connection.alias!r}]: {problem}")
    return vendor


def find_vendor(connection: Any) -> Vendor | None:
    """As `vendor_of`; None for a database that cannot hold the jobs, and no check of this process."""
    # psycopg is an extra, and the modules of an app are imported before its models are ready.
    if connection.vendor == "sqlite":
        from honker.contrib.django.vendor_sqlite import SQLITE  # noqa: PLC0415

        return SQLITE
    if connection.vendor == "postgresql":
        from honker.contrib.django.vendor_postgres import POSTGRES  # noqa: PLC0415

        return POSTGRES
    return None


def jobs_table() -> str:
    """The ``db_table`` of the model `Job` in this project. Opens no connection."""
    alias = database_alias()
    vendor = find_vendor(connections[alias]) if alias in connections else None
    return "_honker_jobs" if vendor is None else vendor.jobs_table
