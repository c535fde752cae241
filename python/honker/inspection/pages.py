"""Lists that are read to their end, a page at a time: each page is one short read, however long the list is."""

from __future__ import annotations

import json
from typing import Any

from honker.engine import Handle


def every_row(db: Handle, sql: str, name: str, per_page: int) -> list[dict[str, Any]]:
    """The rows of all pages.

    Args:
        db: The database.
        sql: The function of the list, with the parameters ``after`` and ``n``.
        name: The name of the rows in its answer, beside ``next``.
        per_page: The number of rows in a page.
    """
    rows: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = json.loads(db.engine.ask(sql, after, per_page))
        rows += page[name]
        after = page["next"]
        if after is None:
            return rows


async def aevery_row(db: Handle, sql: str, name: str, per_page: int) -> list[dict[str, Any]]:
    """Like `every_row`, without blocking the event loop."""
    rows: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        page = json.loads(await db.engine.aask(sql, after, per_page))
        rows += page[name]
        after = page["next"]
        if after is None:
            return rows
