"""Rows that the engine cannot read: methods of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from honker.arguments import TransactionLike
from honker.engine import Handle
from honker.records import Record

_MALFORMED_ROWS: Final = "SELECT honker_malformed_rows(?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class MalformedRow(Record):
    """A row that was edited by hand into a form that the engine cannot read.

    Attributes:
        table: The table's name.
        row: The rowid.
        problem: The reason why it cannot be read.
    """

    table: str
    row: int
    problem: str


def malformed_rows(self: Handle, limit: int = 100, tx: TransactionLike = None) -> list[MalformedRow]:
    """Rows that were edited by hand into a form that the engine cannot read.

    Such a row does not block other rows: a claim dead-letters the job, a tick skips the schedule, and a reader
    skips and logs the event. No operation finds some of these rows, such as a job whose time is text.

    Args:
        limit: The largest number of rows; negative means all.
        tx: A transaction to look in.

    Returns:
        The rows; repair or delete each.

    Cost: reads every table completely; meant for maintenance.
    Source: SQL ``honker_malformed_rows``.
    """
    return [MalformedRow.of(row) for row in json.loads(self.engine.ask(_MALFORMED_ROWS, limit, tx=tx))]


async def amalformed_rows(self: Handle, limit: int = 100, tx: TransactionLike = None) -> list[MalformedRow]:
    """Like `malformed_rows`, without blocking the event loop; it reads everything, so it runs in a thread."""
    return await asyncio.to_thread(malformed_rows, self, limit, tx)
