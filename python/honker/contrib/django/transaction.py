"""``app.db.transaction()`` in a Django process: an ``atomic()`` block on Django's own connection."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from django.db.transaction import atomic

from honker import serialization
from honker.arguments import Parameters, Row, SQLValue
from honker.engine import Transaction
from honker.errors import InvalidArgumentError, TransactionNotStartedError, UnexpectedRowsError

#: Runs a statement on the connection: its rows, or None for a statement without rows.
Run = Callable[[str, Parameters], "list[Row] | None"]


class DjangoTransaction(Transaction):
    """See the module. For ``with``; in another ``atomic()`` block it is a savepoint.

    Args:
        alias: The database.
        run: Runs a statement on its connection.
        call: Runs a function on its connection.
    """

    def __init__(self, alias: str, run: Run, call: Callable[..., Any]) -> None:
        self._alias = alias
        self._run = run
        self._call = call
        self._block: Any = None

    def __enter__(self) -> Self:
        block = atomic(using=self._alias)
        block.__enter__()
        self._block = block
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        block, self._block = self._block, None
        block.__exit__(kind, error, traceback)

    async def __aenter__(self) -> Self:
        raise InvalidArgumentError(
            "this transaction was made outside of the event loop; call db.transaction() in the coroutine that uses it"
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raise AssertionError("it was never entered")

    def check_active(self) -> None:
        """Refuse a use outside of its block.

        Raises:
            TransactionNotStartedError: It has not begun, or has ended.
        """
        if self._block is None:
            raise TransactionNotStartedError("the transaction has not begun, or has ended; use it in its `with` block")

    def execute(self, sql: str, params: Parameters = None) -> None:
        """Run one statement that returns no rows."""
        self.check_active()
        if self._run(sql, params) is not None:
            raise UnexpectedRowsError("the statement returns rows; call query() for it")

    def query(self, sql: str, params: Parameters = None) -> list[Row]:
        """Run one statement and return its rows."""
        self.check_active()
        return self._run(sql, params) or []

    def notify(self, channel: str, payload: Any) -> int:
        """Notify the listeners of a channel when this transaction commits."""
        return self._function("SELECT notify(?, ?)", channel, serialization.encode(payload))

    def bootstrap_honker_schema(self) -> None:
        """Create or upgrade honker's tables as part of this transaction."""
        self._function("SELECT honker_bootstrap()")

    def _function(self, sql: str, *params: SQLValue) -> Any:
        self.check_active()
        return self._call(sql, *params)
