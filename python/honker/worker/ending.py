"""The end of workers without a signal: when nothing is due, after a number of jobs, or beyond an amount of memory."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from honker.clock import monotonic
from honker.errors import InvalidArgumentError

#: Seconds between two looks at the memory of the process, at least.
_MEMORY_LOOK_S: Final = 1.0

logger = logging.getLogger("honker")


class Draining(Protocol):
    """A runner of one queue."""

    @property
    def is_idle(self) -> bool:
        """True if it holds no job."""
        ...

    def wake(self) -> None:
        """Make it look again."""
        ...

    async def is_due(self) -> bool:
        """True if a job of its queue could be claimed now."""
        ...


class Ending:
    """Decides on the end of the runners of one event loop, which share it.

    Once `is_draining` is true they claim no more, and each ends with its last handler, without a limit of time.

    Args:
        burst: True to end once all runners are idle and no job of their queues is due.
        max_jobs: Claims, of all runners together, after which they end; None for no limit.
        max_memory_bytes: Memory of this process beyond which they end; None for no limit.
        used_bytes: The memory of this process, for that limit.

    Attributes:
        counts: The number of attempts that have ended, by their outcome.
        is_draining: True once they are to end.

    Raises:
        InvalidArgumentError: A limit is not positive.
    """

    def __init__(
        self,
        *,
        burst: bool = False,
        max_jobs: int | None = None,
        max_memory_bytes: int | None = None,
        used_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        for name, value in (("max_jobs", max_jobs), ("max_memory_bytes", max_memory_bytes)):
            if value is not None and value < 1:
                raise InvalidArgumentError(f"{name} is {value}; it must be 1 or more, or None for no limit")
        self.counts: Counter[str] = Counter()
        self.is_draining = False
        self._burst = burst
        self._unclaimed = max_jobs
        # Reserved claims are neither unclaimed nor made.
        self._reserved = 0
        self._max_memory_bytes = max_memory_bytes
        self._used_bytes = used_bytes
        self._looked_at = monotonic()
        self._runners: list[Draining] = []

    def add(self, runner: Draining) -> None:
        """Take part in the decision."""
        self._runners.append(runner)

    def remove(self, runner: Draining) -> None:
        """Take no part any more."""
        self._runners.remove(runner)

    def reserve(self, wanted: int) -> int:
        """Reserve claims before a round; the number that it may make."""
        if self._unclaimed is None:
            return wanted
        reserved = min(wanted, self._unclaimed)
        self._unclaimed -= reserved
        self._reserved += reserved
        return reserved

    def note_claims(self, reserved: int, claimed: int) -> None:
        """Give the reserved claims back that a round has not made."""
        if self._unclaimed is None:
            return
        self._reserved -= reserved
        self._unclaimed += reserved - claimed
        if self._unclaimed == 0 and self._reserved == 0:
            self._drain("the number of jobs is reached")

    async def is_over(self, runner: Draining) -> bool:
        """True if a runner that has just made a round is to end."""
        self._check_memory()
        if self._burst and not self.is_draining:
            await self._check_burst(runner)
        return self.is_draining and runner.is_idle

    async def _check_burst(self, runner: Draining) -> None:
        # A handler may enqueue into the queue of a runner that is idle already. So the last one looks at all queues.
        if not self._are_idle():
            return
        for each in list(self._runners):
            if await each.is_due():
                if each is not runner:
                    each.wake()
                return
        if self._are_idle():
            self._drain("nothing is due", logging.DEBUG)

    def _are_idle(self) -> bool:
        return all(each.is_idle for each in self._runners)

    def _check_memory(self) -> None:
        if self._max_memory_bytes is None or self.is_draining or monotonic() - self._looked_at < _MEMORY_LOOK_S:
            return
        self._looked_at = monotonic()
        used = self._used_bytes()
        if used > self._max_memory_bytes:
            self._drain(f"the process uses {used / 2**20:.0f} MiB of memory")

    def _drain(self, reason: str, level: int = logging.INFO) -> None:
        logger.log(level, "no more jobs are claimed: %s", reason)
        self.is_draining = True
        for each in self._runners:
            each.wake()
