"""The updates of a thread that no commit could wake."""

from __future__ import annotations

from typing import Any, NoReturn, Self

from honker.engine import LoopUpdates, Updates
from honker.errors import DeadlockError


class NoUpdates(Updates, LoopUpdates):
    """Updates that refuse each wait. Code that finds its rows at once never waits."""

    def wait(self, timeout_s: float | None) -> NoReturn:
        """Refuse to wait.

        Raises:
            DeadlockError: Always.
        """
        raise DeadlockError(
            "this thread is in transaction.atomic(), or its database is in memory, so the awaited rows cannot come; "
            "wait after the block, and in a test run the jobs first"
        )

    async def wait_async(self, timeout_s: float | None) -> NoReturn:
        """Refuse to wait, as `wait`."""
        self.wait(timeout_s)

    def fileno(self) -> int:
        """Refuse to wait, as `wait`."""
        self.wait(None)

    def rest(self) -> None:
        """Nothing is announced."""

    def stats(self) -> dict[str, Any]:
        """Nothing is counted."""
        return {}

    def close(self) -> None:
        """Nothing is open."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> None:
        self.wait(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        self.wait(None)
