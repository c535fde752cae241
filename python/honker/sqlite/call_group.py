"""Calls of SQL functions that share one transaction: each gets its own answer or its own error.

Each function is atomic inside a transaction too, so a call that fails undoes itself and leaves the others as they are.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, TypeVar

from honker.arguments import Call
from honker.engine import Element
from honker.errors import HonkerError
from honker.sqlite.batch import element_arrays
from honker.sqlite.connection import Connection

E = TypeVar("E", bound=BaseException)

#: Characters of elements that share a statement at most.
_SHARED_CHARACTERS: Final = 1 << 20


class TransactionLostError(Exception):
    """SQLite has rolled back the transaction of a group, as for a full disk: none of its calls has been made."""


class GroupedCall:
    """One call, and its outcome once its group has run.

    Args:
        one: The call.
        many: The call that adds several jobs or events of this kind; see `honker.engine.Engine.aadd`.
        element: This job or event in that call.
        future: Awaited for the outcome, on its event loop.
    """

    __slots__ = ("answer", "element", "error", "future", "many", "one")

    def __init__(
        self,
        one: Call,
        many: Call | None = None,
        element: Element | None = None,
        future: asyncio.Future[Any] | None = None,
    ) -> None:
        self.one = one
        self.many = many
        self.element = element
        self.future = future
        self.answer: Any = None
        self.error: BaseException | None = None

    @property
    def is_awaited(self) -> bool:
        """True if it has a future that has neither an outcome nor been cancelled."""
        return self.future is not None and not self.future.done()

    def resolve(self) -> None:
        """Pass the outcome to the future, unless that was cancelled."""
        future = self.future
        if future is None or future.done():
            return
        if self.error is None:
            future.set_result(self.answer)
        else:
            future.set_exception(self.error)


def fail(calls: list[GroupedCall], error: BaseException) -> None:
    """Give an error to each call, as an object of its own."""
    for call in calls:
        call.error = copy_of(error)


def copy_of(error: E) -> E:
    """The same error without its traceback, which grows wherever the error is raised."""
    copied = copy.copy(error)
    copied.__cause__ = error.__cause__
    return copied


def run_now(connection: Connection, calls: list[GroupedCall]) -> None:
    """Run calls and commit them together, without waiting.

    Raises:
        DatabaseBusyError: Another process is writing, or the commit would wait for the disk. No call has been made.
        TransactionLostError: No call has been made.
        HonkerError: The commit failed, and so did all calls.
    """
    connection.check_fast()
    connection.make_ready()
    connection.fail_when_busy()
    if len(calls) == 1:
        calls[0].answer = connection.scalar(calls[0].one[0], calls[0].one[1:])
        return
    connection.run("BEGIN IMMEDIATE")
    try:
        _run_all(connection, calls)
        connection.run("COMMIT")
    except BaseException:
        connection.roll_back_if_open()
        raise


def run_waiting(connection: Connection, calls: list[GroupedCall]) -> None:
    """Run calls and commit them together, waiting for other processes and for the disk.

    Raises:
        HonkerError: The commit failed, and so did all calls.
    """
    if len(calls) > 1:
        connection.begin()
        try:
            _run_all(connection, calls)
            connection.commit(is_slow=True)
        except TransactionLostError:
            pass
        except BaseException:
            connection.roll_back_if_open()
            raise
        else:
            return
    for call in calls:
        _run_alone(connection, call)


def _run_alone(connection: Connection, call: GroupedCall) -> None:
    call.error = None  # of an earlier try, which was rolled back
    try:
        connection.make_ready()
        call.answer = connection.scalar_waiting(call.one[0], call.one[1:])
    except Exception as error:  # calls before it may have been committed, so they must not fail with it
        call.error = error


def _run_all(connection: Connection, calls: list[GroupedCall]) -> None:
    """Run the statements of calls inside a transaction, in order."""
    for series in _series(calls):
        if len(series) == 1 or not _run_together(connection, series):
            for call in series:
                _run_one(connection, call)


def _series(calls: list[GroupedCall]) -> Iterator[list[GroupedCall]]:
    """Consecutive calls that can share a statement, and the others one by one."""
    for many, series in groupby(calls, key=attrgetter("many")):
        if many is None:
            yield from ([call] for call in series)
        else:
            yield list(series)


def _run_together(connection: Connection, calls: list[GroupedCall]) -> bool:
    """Run calls as one statement; False if they are too large for one, or if it has failed and changed nothing."""
    assert calls[0].many is not None
    sql, *params = calls[0].many
    each = [call.element for call in calls if call.element is not None]
    characters = sum(len(element) if isinstance(element, str) else sum(map(len, element)) for element in each)
    if characters > _SHARED_CHARACTERS:
        return False
    elements, *options = element_arrays(each)
    try:
        ids: list[int] = json.loads(connection.scalar(sql, (elements, *params, *options)))
    except HonkerError as error:
        _check_open(connection, error)
        return False
    for call, new_id in zip(calls, ids, strict=True):
        call.answer, call.error = new_id, None
    return True


def _run_one(connection: Connection, call: GroupedCall) -> None:
    call.error = None  # of an earlier try, which was rolled back
    try:
        call.answer = connection.scalar(call.one[0], call.one[1:])
    except HonkerError as error:
        _check_open(connection, error)
        call.error = error


def _check_open(connection: Connection, error: HonkerError) -> None:
    if not connection.raw.in_transaction:
        raise TransactionLostError from error
