"""Errors of psycopg as errors of honker."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import psycopg

from honker.errors import (
    ENGINE_ERRORS,
    ConnectionLostError,
    ConstraintError,
    DatabaseBusyError,
    DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError,
    DatabaseIOError,
    DatabaseOpenError,
    DatabaseReadOnlyError,
    HonkerError,
    InterruptedStatementError,
    InvalidArgumentError,
    NotBootstrappedError,
    TransactionNotStartedError,
)

_CODED: Final = re.compile(r"(HONKER_[A-Z_]+): (.*)", re.DOTALL)
# By SQLSTATE, or by its class, the first two characters.
_STATES: Final[Mapping[str, type[HonkerError]]] = MappingProxyType(
    {
        "08": ConnectionLostError,
        "23": ConstraintError,
        "25006": DatabaseReadOnlyError,
        "25P02": TransactionNotStartedError,
        "25P03": ConnectionLostError,  # idle_in_transaction_session_timeout
        "3F000": NotBootstrappedError,  # no such schema
        "40": DatabaseBusyError,  # a deadlock, a serialization failure
        "42501": DatabaseReadOnlyError,  # a privilege is missing
        "53": DatabaseFullError,
        "53300": DatabaseBusyError,  # too many connections
        "55P03": DatabaseBusyError,  # lock_timeout
        "57014": InterruptedStatementError,
        "57P": ConnectionLostError,
        "57P01": ConnectionLostError,
        "57P02": ConnectionLostError,
        "57P03": ConnectionLostError,
        "57P05": ConnectionLostError,
        "58": DatabaseIOError,
        "XX001": DatabaseCorruptError,
        "XX002": DatabaseCorruptError,
        "22021": InvalidArgumentError,  # NUL in a text
        "22P05": InvalidArgumentError,
    }
)
# The words of a server that refuses a connection, in English. Others count as a lost connection, which is tried again.
_REFUSALS: Final[tuple[tuple[re.Pattern[str], type[HonkerError]], ...]] = (
    (
        re.compile(r"too many clients|too many connections|connection slots are reserved|no more connections"),
        DatabaseBusyError,
    ),
    (
        re.compile(
            r'authentication failed|(database|role) ".*" does not exist|no pg_hba.conf entry|no password supplied'
            r"|permission denied for database|no such database|not permitted to log in"
        ),
        DatabaseOpenError,
    ),
)


def from_postgres(error: psycopg.Error | UnicodeEncodeError) -> HonkerError:
    """The honker error for an exception of psycopg; raise it ``from`` that exception."""
    if isinstance(error, UnicodeEncodeError):
        return InvalidArgumentError(f"a text is not valid Unicode: {error}")
    message = error.diag.message_primary or " ".join(str(error).split())  # libpq's own are of several lines
    coded = _CODED.match(message)
    if coded is not None and coded[1] in ENGINE_ERRORS:
        return ENGINE_ERRORS[coded[1]](coded[2])
    state = error.sqlstate or ""
    if state == "42883" and "honker." in message:
        return _undefined(message)
    kind = _STATES.get(state) or _STATES.get(state[:2])
    if kind is None and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        kind = _refusal_of(message)
    elif kind is None and isinstance(error, psycopg.DataError) and not state:
        kind = InvalidArgumentError  # found by psycopg, as the character NUL in a text is
    return (kind or DatabaseError)(message)


def _refusal_of(message: str) -> type[HonkerError]:
    """The error of a connection that failed: libpq tells the reason in words only."""
    for words, kind in _REFUSALS:
        if words.search(message):
            return kind
    return ConnectionLostError


def _undefined(message: str) -> HonkerError:
    """PostgreSQL finds a function by the types of its arguments, so a wrong type looks like a missing function."""
    return InvalidArgumentError(
        f"{message}: an argument has a wrong type, or honker's functions here are older; run honker migrate"
    )
