"""Which threads and tasks are in a transaction of an engine."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import Any, TypeAlias

from honker.errors import NestedTransactionError

Holder: TypeAlias = "tuple[int, asyncio.Task[Any] | None]"


def this_holder() -> Holder:
    """The running task, or else the thread."""
    loop = asyncio._get_running_loop()
    return threading.get_ident(), None if loop is None else asyncio.current_task()


class Holders:
    """The threads and tasks that are in a transaction.

    PostgreSQL has many writers, so none of them waits here. But a call without ``tx=`` inside a transaction is nearly
    always a forgotten ``tx=``: it would commit although the transaction rolls back. So it is refused, as on SQLite.
    """

    def __init__(self) -> None:
        # A transaction that is gone holds nothing: a signal may have interrupted its end before `leave`.
        self._holders: dict[Holder, weakref.ref[object]] = {}

    def enter(self, transaction: object) -> Holder:
        """Note this thread or task, for as long as its transaction lives.

        Raises:
            NestedTransactionError: It is in a transaction already.
        """
        holder = this_holder()
        if self._is_in(holder):
            raise NestedTransactionError(
                "nested db.transaction() is not supported: this thread or task holds a transaction "
                "already; pass it as tx=, or "
                "leave its with block first"
            )
        self._holders[holder] = weakref.ref(transaction)
        return holder

    def leave(self, holder: Holder) -> None:
        """Forget it."""
        self._holders.pop(holder, None)

    def _is_in(self, holder: Holder) -> bool:
        transaction = self._holders.get(holder)
        return transaction is not None and transaction() is not None

    @property
    def is_here(self) -> bool:
        """True if this thread or task is in a transaction."""
        return bool(self._holders) and self._is_in(this_holder())

    def check(self) -> None:
        """Refuse a call without ``tx=`` in a transaction.

        Raises:
            NestedTransactionError: This thread or task is in a transaction.
        """
        if self.is_here:
            raise NestedTransactionError(
                "this thread or task is in a transaction; pass it as tx=, and the call becomes part "
                "of it, or leave its with block "
                "first"
            )
