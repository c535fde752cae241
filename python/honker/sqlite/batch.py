"""Jobs or events that a transaction adds one after the other: most of them wait, and are written together."""

from __future__ import annotations

import copy
import json
from typing import Final

from honker.arguments import Call, SQLValue
from honker.errors import HonkerError, InternalError, InterruptedStatementError
from honker.sqlite.connection import Connection

# So many are added one by one before the question is worth its cost whether those that follow may wait.
_ALONE: Final = 8
# So many wait at most, and characters of them: memory stays small, and no statement takes long.
_WAITING: Final = 1_000
_WAITING_CHARACTERS: Final = 1 << 20


class Batch:
    """Jobs or events that differ in nothing but the payload, with no other statement in between.

    A statement for each costs twice as much as one for all. So after the first few an element waits, and its id is
    reserved at once: the one after the last. It will have that id, because ids count up without gaps, no other
    connection writes while this transaction is open, and the transaction writes nothing else before it has called
    `flush`. Only additions of the application to honker's tables could interfere: a trigger that inserts, a unique
    index that refuses. With these nothing waits.

    Elements that wait are committed with the transaction or not at all: `flush` comes before each other statement and
    before the COMMIT, and when it fails the transaction can only roll back. A process that dies takes the transaction
    with it, written or not.
    """

    def __init__(self, add_many: Call) -> None:
        self.add_many = add_many
        self._alone = 0
        self._may_wait: bool | None = None  # None before it has been asked
        self._last_id = 0  # of the elements written so far
        self._waiting: list[str] = []
        self._characters = 0
        self._failure: HonkerError | None = None

    def reserve_id(self, element: str) -> int:
        """The id that an element, JSON text, will have; 0 if it cannot wait."""
        characters = self._characters + len(element)
        if not self._may_wait or len(self._waiting) == _WAITING or characters > _WAITING_CHARACTERS:
            return 0
        self._characters = characters
        # An interrupt may cut off the rest of this function: an element counts by being in the list.
        self._waiting.append(element)
        return self._last_id + len(self._waiting)

    def add_now(self, connection: Connection, sql: str, *params: SQLValue) -> int:
        """Write the elements that wait, and then one element by a function that adds one."""
        self.flush(connection)
        may_wait, self._may_wait = self._may_wait, False  # a failure may end the transaction
        if may_wait is None and self._alone == _ALONE:
            may_wait = not connection.scalar("SELECT honker_has_additions()")
        self._last_id = connection.scalar(sql, params)
        self._alone, self._may_wait = self._alone + 1, may_wait
        return self._last_id

    def flush(self, connection: Connection) -> None:
        """Write the elements that wait.

        Raises:
            HonkerError: The cause that kept this or an earlier call from it. The transaction must be rolled back.
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
        ids: list[int] = json.loads(connection.scalar(sql, (f"[{','.join(self._waiting)}]", *params)))
        reserved = range(self._last_id + 1, self._last_id + 1 + len(self._waiting))
        if ids != list(reserved):
            raise InternalError(f"ids {reserved[0]} to {reserved[-1]} were reserved, {ids[0]} to {ids[-1]} given")
        self._last_id, self._waiting, self._characters = ids[-1], [], 0


def _failure(error: BaseException) -> HonkerError:
    """The error to repeat from now on, without its traceback."""
    if isinstance(error, HonkerError):
        return copy.copy(error)
    return InterruptedStatementError(
        f"{type(error).__name__} came while jobs or events were being written, and may have kept some out; roll back"
    )
