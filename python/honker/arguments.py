"""Argument types of the public API, and their checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal, Protocol, TypeAlias

from honker.errors import InvalidArgumentError, UnsupportedParameterError

#: A value that SQL can hold.
SQLValue: TypeAlias = "int | float | str | bytes | None"

#: A result row: column label to value, in the order of the columns; if two columns share a label, the last one counts.
Row: TypeAlias = "dict[str, Any]"

#: Positional SQL parameters.
Parameters: TypeAlias = "Iterable[SQLValue] | None"

#: A statement that calls a SQL function, and the function's arguments, as `honker.engine.Engine.call` takes them.
Call: TypeAlias = "tuple[str, *tuple[SQLValue, ...]]"

#: The treatment of a job whose unique key another job has, see `Queue.enqueue`.
OnConflict: TypeAlias = Literal["existing", "replace", "rerun", "raise"]

#: The moment from which a unique key is free again.
UniqueUntil: TypeAlias = Literal["finished", "started"]

#: The treatment of a job one of whose parents fails.
OnParentFailure: TypeAlias = Literal["cancel", "run", "wait"]

#: A duration in seconds, whole or not, or a `timedelta`.
Seconds: TypeAlias = "int | float | Decimal | timedelta"

#: A point in time: Unix seconds, whole or not, or a `datetime`; a datetime without a zone is local time.
Instant: TypeAlias = "int | float | Decimal | datetime"


class _OwnTransaction(Protocol):
    """A `honker.Transaction`."""

    def execute(self, sql: str, params: Parameters = None) -> None: ...

    def query(self, sql: str, params: Parameters = None) -> list[Row]: ...


class _DriverConnection(Protocol):
    """A connection of ``sqlite3``, of a module like it, or of ``aiosqlite``."""

    @property
    def in_transaction(self) -> bool: ...

    @property
    def isolation_level(self) -> str | None: ...

    def commit(self) -> Any: ...


class _SQLAlchemySession(Protocol):
    """A ``Session`` or ``AsyncSession``."""

    def get_bind(self) -> Any: ...

    def connection(self) -> Any: ...


class _SQLAlchemyConnection(Protocol):
    """A ``Connection`` or ``AsyncConnection``."""

    def exec_driver_sql(self, statement: str) -> Any: ...

    def get_transaction(self) -> Any: ...


class _DjangoConnection(Protocol):
    """A connection of Django."""

    def ensure_connection(self) -> None: ...


class _PeeweeDatabase(Protocol):
    """A ``SqliteDatabase`` of peewee."""

    def is_closed(self) -> Any: ...

    def connection(self) -> Any: ...

    def atomic(self) -> Any: ...


_OfLibrary: TypeAlias = "_SQLAlchemySession | _SQLAlchemyConnection | _DjangoConnection | _PeeweeDatabase"
#: The transaction of an operation: a `honker.Transaction`, a connection of ``sqlite3``, a ``Session`` or ``Connection``
#: of SQLAlchemy, a connection of Django, or a database of peewee. Awaited methods also take a connection of
#: ``aiosqlite``, and an ``AsyncSession`` or ``AsyncConnection``.
TransactionLike: TypeAlias = "_OwnTransaction | _DriverConnection | _OfLibrary | None"

_SQL_TYPES: Final = frozenset({type(None), int, float, str, bytes, bool})
#: The largest integer that SQL can hold.
INT64_MAX: Final = 2**63 - 1
#: Up to here every whole number is a float of its own.
EXACT_FLOAT_MAX: Final = 2**53


def sql_parameters(params: Parameters) -> tuple[SQLValue, ...]:
    """Positional parameters for ``sqlite3``, checked.

    Raises:
        UnsupportedParameterError: ``params`` is not a positional sequence, or has a value that SQL cannot hold exactly.
    """
    if params is None:
        return ()
    kind = type(params).__name__
    try:
        if isinstance(params, (str, bytes, Mapping)):
            raise TypeError
        values = tuple(params)
    except TypeError:
        raise UnsupportedParameterError(
            f"params must be a positional sequence such as a list or tuple, not {kind}"
        ) from None
    for value in values:
        _check_sql_value(value)
    return values


def _check_sql_value(value: object) -> None:
    if type(value) not in _SQL_TYPES and not isinstance(value, (int, float, str, bytes)):
        raise UnsupportedParameterError(f"unsupported SQL parameter type: {type(value).__name__}")
    if isinstance(value, int) and not -INT64_MAX - 1 <= value <= INT64_MAX:
        raise UnsupportedParameterError(f"the integer {value} does not fit into the 64 bits of SQL; pass it as text")


def is_text(value: object) -> bool:
    """True for a string that SQL can hold, which has no unpaired surrogates."""
    if type(value) is not str:
        return False
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def seconds(value: Seconds, argument: str) -> int | float:
    """Convert a duration for the engine: an int stays an int, other values become floats."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    return _number(value, argument)


def whole(value: float, argument: str) -> int:
    """A whole number that SQL can hold; a float without a fraction is one.

    Raises:
        InvalidArgumentError: ``value`` is not such a number.
    """
    if type(value) is int and -INT64_MAX <= value <= INT64_MAX:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and -INT64_MAX <= value <= INT64_MAX:
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT_FLOAT_MAX:
        return int(value)
    raise InvalidArgumentError(f"{argument} is {value!r}; it must be a whole number of at most 64 bits")


def optional_whole(value: float | None, argument: str) -> int | None:
    """As `whole`, with None for None."""
    return None if value is None else whole(value, argument)


def optional_seconds(value: Seconds | None, argument: str) -> int | float | None:
    """Like `seconds`, with None for None."""
    return None if value is None else seconds(value, argument)


def optional_instant(value: Instant | None, argument: str) -> int | float | None:
    """Convert a point in time for the engine, with None for None."""
    if value is None:
        return None
    if isinstance(value, datetime):
        try:
            return value.timestamp()
        except (ValueError, OverflowError, OSError) as error:
            raise InvalidArgumentError(f"{argument} is {value!r}, which has no Unix time: {error}") from error
    return _number(value, argument)


def _number(value: object, argument: str) -> int | float:
    if isinstance(value, int) and not isinstance(value, bool):
        if not -INT64_MAX - 1 <= value <= INT64_MAX:
            raise InvalidArgumentError(f"{argument} is {value}; a number of seconds must fit into 64 bits")
        return value
    if isinstance(value, Decimal) and not value.is_nan():
        return float(value)
    if isinstance(value, float) and not math.isnan(value):
        return value
    raise InvalidArgumentError(f"{argument} must be a number of seconds, not {value!r}")
