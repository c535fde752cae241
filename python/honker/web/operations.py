"""Verbs for many jobs that go on after the answer: their progress, and jobs that can be restored."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from honker.database import Database
from honker.errors import HonkerError
from honker.inspection import Applied, Verb
from honker.shutdown import stop

T = TypeVar("T")

#: Seconds for which an answer waits for the end of an operation.
PATIENCE_S: Final = 0.7
#: Operations that are remembered, the newest ones.
_KEPT: Final = 50


class Recent(Generic[T]):
    """The newest values, by a random name that only its user knows."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, T] = OrderedDict()

    def add(self, value: T) -> str:
        """Keep a value, and return its name."""
        name = secrets.token_urlsafe(12)
        self._values[name] = value
        while len(self._values) > _KEPT:
            self._values.popitem(last=False)
        return name

    def get(self, name: str) -> T | None:
        """The value of a name, or None."""
        return self._values.get(name)


@dataclass
class Operation:
    """A verb that is being applied to jobs.

    Attributes:
        title: The verb and the jobs, in words.
        past: The verb after the fact, such as ``requeued``.
        done: Jobs changed so far.
        skipped: Jobs that were passed over so far.
        expected: The number of matching jobs at the start; None if that is only a lower bound.
        applied: The result, once it has ended.
        error: The reason for which it failed, or None.
        began_at: The time of its start.
    """

    title: str
    past: str
    expected: int | None
    done: int = 0
    skipped: int = 0
    applied: Applied | None = None
    error: str | None = None
    began_at: float = field(default_factory=time.time)
    is_stopping: bool = False
    _task: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """True if it has ended."""
        return self.applied is not None or self.error is not None

    @property
    def result(self) -> str:
        """Its result in one sentence."""
        if self.applied is None:
            return f"{self.title} failed: {self.error}"
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in self.applied.reasons.items())
        stopped = "" if self.applied.is_complete else " Stopped before the end."
        jobs = "job" if self.applied.done == 1 else "jobs"
        return f"{self.applied.done:,} {jobs} {self.past}.{f' Passed over: {reasons}.' if reasons else ''}{stopped}"

    async def begin(self, db: Database, verb: Verb, conditions: dict[str, Any]) -> None:
        """Begin, and wait a moment for the end."""
        # Kept in an attribute: the event loop forgets tasks that nothing else holds.
        self._task = asyncio.create_task(self._run(db, verb, conditions))
        await asyncio.wait([self._task], timeout=PATIENCE_S)

    async def _run(self, db: Database, verb: Verb, conditions: dict[str, Any]) -> None:
        try:
            # In a thread: batches that follow each other on the event loop would hold up every other request.
            self.applied = await asyncio.to_thread(db.apply, verb, **conditions, on_progress=self._tell)
        except HonkerError as error:
            self.error = str(error)

    def _tell(self, done: int, skipped: int) -> bool:
        self.done, self.skipped = done, skipped
        return not (self.is_stopping or stop.is_set)
