"""The end of a transaction that was passed as ``tx=``, for those who wait for a job enqueued in it."""

from __future__ import annotations

from typing import Any


class OwnFate:
    """The end of a transaction of honker, which sets it.

    Attributes:
        is_over: True once it has ended.
        is_committed: True if honker committed it, False if it was rolled back, None if it is not known: it still runs,
            or the application has ended it by a statement.
    """

    __slots__ = ("is_committed", "is_over")

    def __init__(self) -> None:
        self.is_over = False
        self.is_committed: bool | None = None


class ForeignFate:
    """The end of a transaction of the application's own driver, as far as its connection shows it."""

    is_committed: bool | None = None

    def __init__(self, raw: Any, errors: tuple[type[Exception], ...]) -> None:
        self._raw = raw
        self._errors = errors

    @property
    def is_over(self) -> bool:
        """True once the connection is in no transaction, or closed."""
        try:
            return not self._raw.in_transaction
        except self._errors:
            return True
