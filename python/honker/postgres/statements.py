"""Calls of the contract in the form that PostgreSQL takes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_FUNCTION: Final = re.compile(r"\b(?=honker_\w+\(|notify\()")


@lru_cache(maxsize=1024)
def translated(sql: str) -> str:
    """A statement of honker's own: its functions with their schema, its placeholders as psycopg writes them.

    Statements of the application are never translated: they are PostgreSQL's already.
    """
    return _FUNCTION.sub("honker.", sql.replace("%", "%%")).replace("?", "%s")
