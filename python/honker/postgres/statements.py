"""Calls of the contract in the form that PostgreSQL takes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from honker.arguments import SQLValue
from honker.errors import InvalidArgumentError

_PLAIN: Final = frozenset((int, float, str, type(None)))
_FUNCTION: Final = re.compile(r"\b(?=honker_\w+\(|notify\()")
_PLACEHOLDER: Final = re.compile(r"\?(\d*)")


def translated(sql: str, params: Sequence[SQLValue]) -> tuple[str, Sequence[SQLValue]]:
    """A statement of honker's own and its arguments, as psycopg takes them.

    Its functions get their schema, and its booleans are the integers 0 and 1. Statements of the application are never
    translated: they are PostgreSQL's already.
    """
    text, order = _translated(sql)
    if order:
        params = [params[place] for place in order]
    if any(type(param) not in _PLAIN for param in params):
        params = [_plain(param) for param in params]
    return text, params


def _plain(param: Any) -> SQLValue:
    if isinstance(param, bool):
        return int(param)
    if param is None or isinstance(param, (int, float, str, bytes)):
        return param
    raise InvalidArgumentError(f"{param!r} cannot be passed to SQL: it is {type(param).__name__}")


@lru_cache(maxsize=1024)
def _translated(sql: str) -> tuple[str, list[int]]:
    """The text, and the places of its arguments if its placeholders are numbered, as in ``?2``."""
    numbers = [int(number) - 1 for number in _PLACEHOLDER.findall(sql) if number]
    return _FUNCTION.sub("honker.", _PLACEHOLDER.sub("%s", sql.replace("%", "%%"))), numbers


@lru_cache(maxsize=1024)
def numbered(sql: str) -> bytes:
    """A statement of honker's own as libpq takes it: ``?`` and ``?2`` are ``$1`` and ``$2``."""
    numbers = itertools.count(1)
    return _FUNCTION.sub("honker.", _PLACEHOLDER.sub(lambda found: f"${found[1] or next(numbers)}", sql)).encode()
