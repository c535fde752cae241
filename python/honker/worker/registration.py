"""The registration of workers in their file, for `honker.Database.workers`.

All workers that `run_workers` starts share one registration, and so one row. A report rides on a round that settles
jobs if one is due; a worker without such rounds writes it by itself. An idle worker commits once in ten seconds, and
each commit wakes the other workers of the file for one look. So with more than 20 of them each reports less often.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import json
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from honker.engine import Engine
from honker.errors import HANDLE_ENDED, HonkerError
from honker.process_space import host, process_space
from honker.worker.leases import Run
from honker.worker.listing import ended_workers

#: Seconds after the start at which a worker is registered: one that ends before writes nothing.
FIRST_REPORT_S: Final = 0.5
#: Seconds between two reports, at least.
PAUSE_S: Final = 3.0
#: Seconds that the removal at the end may take.
_LEAVE_S: Final = 1.0
#: Running jobs in a report, as many as the engine keeps.
_LISTED: Final = 100
#: Characters of a task's name in a report: the engine refuses more than 1,000 bytes, and with them the whole round.
_NAME_MAX_CHARS: Final = 200

_REPORT: Final = "SELECT honker_worker_report(?)"
_LEAVE: Final = "SELECT honker_worker_leave(?)"
_LIST: Final = "SELECT honker_worker_list(?, ?)"
_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode

#: The part of a report whose change is worth a write: if the workers stop, and the jobs and attempts that run.
_State: TypeAlias = "tuple[bool, frozenset[tuple[int, int]]]"

logger = logging.getLogger("honker")


class Report(NamedTuple):
    """A report, and the state that it tells. Jobs that begin while it is written are not in it."""

    text: str
    state: _State


class Member(Protocol):
    """A runner of one queue."""

    @property
    def queue_name(self) -> str:
        """The queue's name."""
        ...

    @property
    def worker_id(self) -> str:
        """The name that it claims under."""
        ...

    @property
    def concurrency(self) -> int:
        """Handlers at once."""
        ...

    @property
    def is_stopping(self) -> bool:
        """True once it claims no more."""
        ...

    @property
    def runs(self) -> Sequence[Run]:
        """The jobs at work."""
        ...


class Registration:
    """The row of the workers of one event loop that share a file.

    Args:
        engine: The engine of the file.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._name = f"{host()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._started_at = engine.clock()
        self._members: list[Member] = []
        self._task: asyncio.Task[None] | None = None
        self._is_registered = False
        self._rides = True
        self._reported: _State | None = None
        self._written_s = self._due_s = 0.0

    def add(self, member: Member) -> None:
        """Report a runner from now on. Call it on the event loop."""
        self._members.append(member)
        if self._task is None:
            self._due_s = asyncio.get_running_loop().time() + FIRST_REPORT_S
            self._task = asyncio.ensure_future(self._report_for_ever())

    async def remove(self, member: Member) -> None:
        """Report a runner no longer; remove the row after the last one."""
        self._members.remove(member)
        if self._members or self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._is_registered:
            self._is_registered = False
            try:
                await asyncio.wait_for(self._engine.acall(_LEAVE, self._name), _LEAVE_S)
            except (HonkerError, TimeoutError) as error:
                logger.debug("worker %s stays listed until it counts as lost: %s", self._name, error)

    # Riding on a round

    def due_report(self) -> Report | None:
        """The report to pass to a round that commits in any case; None if none is due."""
        if not self._rides:
            return None
        return self._report() if self._is_due(asyncio.get_running_loop().time()) else None

    def note_failed_round(self) -> None:
        """Let no report ride until one was written by itself: it may be what the round failed by."""
        self._rides = False

    def note_report(self, report: Report, claimed: Iterable[tuple[int, int]], next_in_s: float) -> None:
        """Note that a report was written.

        Args:
            report: The report.
            claimed: The jobs and attempts that the call has claimed, which the engine adds to the report.
            next_in_s: Its answer.
        """
        is_stopping, running = report.state
        self._is_registered = self._rides = True
        self._reported = is_stopping, running.union(claimed)
        self._written_s = asyncio.get_running_loop().time()
        self._due_s = self._written_s + next_in_s

    def _is_due(self, now_s: float) -> bool:
        if now_s >= self._due_s:
            return True
        return self._is_registered and now_s >= self._written_s + PAUSE_S and self._state() != self._reported

    # By itself

    async def _report_for_ever(self) -> None:
        await asyncio.sleep(FIRST_REPORT_S)
        try:
            await self._remove_ended()
            while True:
                if self._is_due(asyncio.get_running_loop().time()):
                    await self._write_report()
                await asyncio.sleep(PAUSE_S)
        except HANDLE_ENDED:
            return  # The rounds of the worker end it.

    async def _write_report(self) -> None:
        report = self._report()
        try:
            self.note_report(report, (), await self._engine.acall(_REPORT, report.text))
        except HANDLE_ENDED:
            raise
        except HonkerError as error:
            # Nothing depends on the row, and the next look tries again.
            logger.debug("worker %s was not registered: %s", self._name, error)

    async def _remove_ended(self) -> None:
        """Remove the workers whose processes, on this machine, have ended."""
        try:
            text = await self._engine.aask(_LIST, None, 1_000)
            for name in ended_workers(text):
                await self._engine.acall(_LEAVE, name)
        except HANDLE_ENDED:
            raise
        except HonkerError as error:
            logger.debug("workers that have ended stay listed: %s", error)

    # The report

    def _runs(self) -> Iterator[tuple[Member, Run]]:
        for member in self._members:
            for run in member.runs:
                yield member, run

    def _state(self) -> _State:
        return self._is_stopping, frozenset(run.key for _, run in self._runs())

    def _report(self) -> Report:
        return Report(self._text(), self._state())

    @property
    def _is_stopping(self) -> bool:
        return all(member.is_stopping for member in self._members)

    def _text(self) -> str:
        runs = list(self._runs())
        now_s, now = asyncio.get_running_loop().time(), self._engine.clock()
        return _ENCODE(
            {
                "name": self._name,
                "started_at": self._started_at,
                "host": host(),
                "pid": os.getpid(),
                "pid_space": process_space(),
                "version": version(),
                "is_stopping": self._is_stopping,
                "slots": sum(member.concurrency for member in self._members),
                "busy": len(runs),
                "queues": [member.queue_name for member in self._members],
                "worker_ids": [member.worker_id for member in self._members],
                "running": [
                    {
                        "id": run.job.id,
                        "queue": member.queue_name,
                        "task": run.name[:_NAME_MAX_CHARS] or None,
                        "since": now - (now_s - run.since_s),
                    }
                    for member, run in runs[:_LISTED]
                ],
            }
        )


@functools.cache
def version() -> str:
    """The version of this package."""
    try:
        return importlib.metadata.version("honker-db")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
