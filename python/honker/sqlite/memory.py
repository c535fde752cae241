"""SQL functions that need no database file, run on a connection in memory."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from honker.arguments import SQLValue
from honker.errors import from_sqlite
from honker.sqlite.extension import connect


def scalar_in_memory(sql: str, *params: SQLValue) -> Any:
    """Run a SQL function that depends only on its arguments, and return its result.

    Cost: a fraction of a millisecond, for the connection.
    """
    with closing(connect(":memory:")) as connection:
        try:
            return connection.execute(sql, params).fetchall()[0][0]
        except sqlite3.Error as error:
            raise from_sqlite(error) from error
