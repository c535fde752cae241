"""A connection of the pool, which calls functions of the contract below psycopg's cursors.

A cursor converts each argument by a table of types, counts and names its prepared statements, and describes its
result: some 30 microseconds of a call, as much as the server needs for an indexed row. The functions of the contract
take and return texts, integers and numbers, so a call sends these to a prepared statement itself. Any other value goes
through a cursor.
"""

from __future__ import annotations

import itertools
import select
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

import psycopg
from psycopg import generators
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import FeatureNotSupported, InvalidSqlStatementName, error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.rows import tuple_row

from honker.arguments import SQLValue
from honker.postgres.statements import numbered, translated

#: The call at which a statement is prepared: one that is sent once or twice would pay for a second round trip.
PREPARE_AT: Final = 3
#: The most statements that a session has prepared.
PREPARED_MAX: Final = 300

# Types of PostgreSQL by their numbers. As psycopg does, a text leaves its type to the server.
_UNKNOWN, _BIGINT, _NUMERIC, _DOUBLE = 0, 20, 1700, 701
_BIGINT_END: Final = 2**63
_LOADERS: Final[Mapping[int, Callable[[bytes], Any]]] = MappingProxyType(
    {_BIGINT: int, 23: int, _DOUBLE: float, 25: bytes.decode}
)

_Key: TypeAlias = "tuple[str, tuple[int, ...]]"
_Arguments: TypeAlias = "tuple[list[bytes | None], tuple[int, ...]]"


class PoolConnection(psycopg.Connection[Any]):
    """A connection in autocommit; see the module."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._poller = select.poll()
        self._poller.register(self.pgconn.socket, select.POLLIN)
        # Statements and the types of their arguments: how often they were sent, and the name under which they are
        # prepared. A name is never used again: a PREPARE that was interrupted may have taken effect.
        self._sent_calls: dict[_Key, int] = {}
        self._prepared_calls: dict[_Key, bytes] = {}
        self._call_numbers = itertools.count()

    @property
    def is_stale(self) -> bool:
        """True if the server has closed it. Only the end of a session makes an idle connection readable."""
        if self.closed or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return True
        return bool(self._poller.poll(0))

    def forget_prepared_calls(self) -> None:
        """Note that the session has no prepared statements any more."""
        self._prepared_calls.clear()

    def _deallocate(self, name: bytes | None) -> PQGen[None]:
        # psycopg removes all prepared statements of the session, its own or not, after a ROLLBACK, DROP or ALTER.
        if name is None:
            self.forget_prepared_calls()
        yield from super()._deallocate(name)

    def call(self, sql: str, params: Sequence[SQLValue]) -> Any:
        """Run a function of the contract and return its result.

        Raises:
            psycopg.Error: The function failed, or the connection was lost.
            UnicodeEncodeError: A text is not valid Unicode.
        """
        given = _arguments(params) if self.pgconn.parameter_status(b"client_encoding") == b"UTF8" else None
        if given is None:
            return self._call_through_cursor(sql, params)
        try:
            return self._send_call(sql, *given)
        except (InvalidSqlStatementName, FeatureNotSupported) as error:
            if not _is_of_prepared(error):
                raise
            # Nothing has run.
            self.forget_prepared_calls()
            if self.pgconn.transaction_status != TransactionStatus.IDLE:
                raise
            return self._send_call(sql, *given)

    def _send_call(self, sql: str, values: list[bytes | None], types: tuple[int, ...]) -> Any:
        with self.lock:
            name = self._prepared_calls.get((sql, types)) or self._prepare_call(sql, types)
            if name is None:
                self.pgconn.send_query_params(numbered(sql), values, param_types=types)
            else:
                self.pgconn.send_query_prepared(name, values)
            result = self._wait_for_call(ExecStatus.TUPLES_OK)
        assert result.ntuples == 1
        value, kind = result.get_value(0, 0), result.ftype(0)
        if value is None:
            return None
        load = _LOADERS.get(kind) or Transformer(self).get_loader(kind, Format.TEXT).load
        return load(value)

    def _prepare_call(self, sql: str, types: tuple[int, ...]) -> bytes | None:
        """Prepare a statement that is often used. Returns its name."""
        count = self._sent_calls[sql, types] = self._sent_calls.get((sql, types), 0) + 1
        if count < PREPARE_AT or self.prepare_threshold is None or len(self._prepared_calls) >= PREPARED_MAX:
            return None
        name = b"honker_%d" % next(self._call_numbers)
        self.pgconn.send_prepare(name, numbered(sql), types)
        self._wait_for_call(ExecStatus.COMMAND_OK)
        self._prepared_calls[sql, types] = name
        return name

    def _wait_for_call(self, wanted: ExecStatus) -> PGresult:
        # A statement that is interrupted is cancelled by psycopg.
        result = self.wait(generators.execute(self.pgconn))[-1]
        if result.status != wanted:
            raise error_from_result(result)
        return result

    def _call_through_cursor(self, sql: str, params: Sequence[SQLValue]) -> Any:
        text, given = translated(sql, params)
        with self.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(cast("Any", text), given).fetchone()
        assert row is not None
        return row[0]


def _is_of_prepared(error: psycopg.Error) -> bool:
    """True if a prepared statement is gone, or does not fit the function any more.

    A statement of the application may have removed it, or an upgrade has given the function another type of result.
    PostgreSQL refuses such a statement for good.
    """
    return isinstance(error, InvalidSqlStatementName) or error.diag.source_function == "RevalidateCachedQuery"


def _arguments(params: Sequence[SQLValue]) -> _Arguments | None:
    """The arguments as PostgreSQL reads them, and their types; None if a cursor must convert or refuse one."""
    values: list[bytes | None] = []
    types: list[int] = []
    for param in params:
        kind = type(param)
        if kind is str:
            if "\0" in cast("str", param):  # libpq would end the text there
                return None
            values.append(cast("str", param).encode())
            types.append(_UNKNOWN)
        elif param is None:
            values.append(None)
            types.append(_UNKNOWN)
        elif kind is int or kind is bool:
            values.append(b"%d" % cast("int", param))
            types.append(_BIGINT if -_BIGINT_END <= cast("int", param) < _BIGINT_END else _NUMERIC)
        elif kind is float:
            values.append(repr(param).encode())
            types.append(_DOUBLE)
        else:
            return None
    return values, tuple(types)
