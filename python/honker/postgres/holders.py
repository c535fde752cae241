"""Which threads and tasks are in a transaction of an engine."""

from __future__ import annotations

import asyncio
import threading
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
        self._holders: set[Holder] = set()

    def enter(self) -> Holder:
        """Note this thread or task.

        Raises:
            NestedTransactionError: It is in a transaction already.
        """
        holder = this_holder()
        if holder in self._holders:
            raise NestedTransactionError(
                "nested db.transaction() is not supported: this thread or task holds a transaction "
                "already; pass it as tx=, or "
                "leave its with block first"
            )
        self._holders.add(holder)
        return holder

    def leave(self, holder: Holder) -> None:
        """Forget it."""
        self._holders.discard(holder)

    @property
    def is_here(self) -> bool:
        """True if this thread or task is in a transaction."""
        return bool(self._holders) and this_holder() in self._holders

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
