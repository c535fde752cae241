"""Consecutive jobs or events of a transaction, most of which are buffered and written together."""

from __future__ import annotations

import copy
import json
from typing import Final, cast

from honker.arguments import Call, SQLValue
from honker.engine import Element
from honker.errors import HonkerError, InternalError, InterruptedStatementError
from honker.sqlite.connection import Connection

# This many elements are written one by one before the check for buffering is worth its cost.
_ALONE: Final = 8
# The limits of the buffer, in elements and characters, bound memory and the duration of a statement.
_WAITING: Final = 1_000
_WAITING_CHARACTERS: Final = 1 << 20


class Batch:
    """Consecutive jobs or events that differ only in the payload.

    One statement per element costs twice as much as one for all. So after the first few, elements are buffered, and
    each reserves the next id at once. The reservation is safe: ids count up without gaps, no other connection writes
    while this transaction is open, and the transaction writes nothing else before `flush`. Only additions of the
    application to honker's tables could interfere, such as a trigger that inserts or a unique index. If there are any,
    nothing is buffered.

    Buffered elements are committed with the transaction or not at all: `flush` runs before any other statement and
    before the COMMIT. If it fails, the transaction can only roll back. If the process dies, the transaction is lost,
    including buffered elements.

    An element of two texts has its options as the second one, in an array that is the last argument of ``add_many``.
    """

    def __init__(self, add_many: Call) -> None:
        self.add_many = add_many
        self._alone = 0
        self._may_wait: bool | None = None  # None until it is checked
        self._last_id = 0  # of the elements written so far
        self._waiting: list[Element] = []
        self._characters = 0
        self._failure: HonkerError | None = None

    def reserve_id(self, element: Element) -> int:
        """Buffer an element and return its future id; 0 if it cannot be buffered."""
        characters = self._characters + (len(element) if isinstance(element, str) else sum(map(len, element)))
        if not self._may_wait or len(self._waiting) == _WAITING or characters > _WAITING_CHARACTERS:
            return 0
        self._characters = characters
        # An interrupt may cut off the rest of this function, so the list alone determines the buffered elements.
        self._waiting.append(element)
        return self._last_id + len(self._waiting)

    def add_now(self, connection: Connection, sql: str, *params: SQLValue) -> int:
        """Write the buffered elements, and then one more by a function for a single element."""
        self.flush(connection)
        may_wait, self._may_wait = self._may_wait, False  # a failure may end the transaction
        if may_wait is None and self._alone == _ALONE:
            may_wait = not connection.scalar("SELECT honker_has_additions()")
        self._last_id = connection.scalar(sql, params)
        self._alone, self._may_wait = self._alone + 1, may_wait
        return self._last_id

    def flush(self, connection: Connection) -> None:
        """Write the buffered elements.

        Raises:
            HonkerError: The cause of the failure of this or an earlier call. The transaction must be rolled back.
        """
        if self._failure is not None:
            raise copy.copy(self._failure)  # without the traceback, which would keep the transaction alive
        if not self._waiting:
            return
        try:
            self._write(connection)
        except BaseException as error:
            self._failure, self._may_wait = _failure(error), False
            raise

    def _write(self, connection: Connection) -> None:
        sql, *params = self.add_many
        elements, *options = element_arrays(self._waiting)
        ids: list[int] = json.loads(connection.scalar(sql, (elements, *params, *options)))
        reserved = range(self._last_id + 1, self._last_id + 1 + len(self._waiting))
        if ids != list(reserved):
            raise InternalError(f"ids {reserved[0]} to {reserved[-1]} were reserved, {ids[0]} to {ids[-1]} assigned")
        self._last_id, self._waiting, self._characters = ids[-1], [], 0


def element_arrays(elements: list[Element]) -> list[str]:
    """The JSON arrays of elements of one kind: one array, or one for each of their texts."""
    if isinstance(elements[0], str):
        return [f"[{','.join(cast('list[str]', elements))}]"]
    return [f"[{','.join(column)}]" for column in zip(*cast("list[tuple[str, str]]", elements), strict=True)]


def _failure(error: BaseException) -> HonkerError:
    """The error that later calls raise, without its traceback."""
    if isinstance(error, HonkerError):
        return copy.copy(error)
    return InterruptedStatementError(
        f"{type(error).__name__} interrupted the write of jobs or events, and some may be missing; "
        "roll back the transaction"
    )
