"""The workers of a file: a method of `honker.Database`, which the class binds."""

# Docstrings do not describe `self`.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from honker import serialization
from honker.engine import Handle
from honker.process_space import is_gone
from honker.records import Record

_PER_PAGE: Final = 1_000

_LIST: Final = "SELECT honker_worker_list(?, ?)"


@dataclass(frozen=True, kw_only=True, eq=False)
class RunningJob(Record):
    """A job at work, from the last report of its worker.

    Attributes:
        id: The job's id.
        queue: The queue's name.
        task: The name of the task that it calls, or None.
        since: Unix seconds of its claim.
    """

    id: int
    queue: str
    task: str | None
    since: float


@dataclass(frozen=True, kw_only=True, eq=False)
class WorkerInfo(Record):
    """A process of workers, from its last report.

    Attributes:
        name: Its name, unique in the file.
        state: ``"running"``, ``"stopping"``, or ``"lost"`` if three of its reports are missing or its process
            has ended.
        seen_at: Unix seconds of the last report.
        started_at: Unix seconds of its start.
        host: The name of its machine.
        pid: Its process id.
        version: The version of its honker.
        slots: Jobs that it runs at once at most, over all its queues.
        busy: Jobs that it runs.
        queues: The names of its queues; at most 100.
        worker_ids: The names under which it claims jobs; at most 100.
        running: The jobs that it runs; at most 100.
    """

    name: str
    state: str
    seen_at: float | None
    started_at: float | None
    host: str
    pid: int
    version: str
    slots: int
    busy: int
    queues: list[str]
    worker_ids: list[str]
    running: list[RunningJob]


def workers(self: Handle) -> list[WorkerInfo]:
    """List the registered workers of the file, by name. Read-only.

    Workers write a report when they start, every ten seconds, and three seconds after they have taken or finished jobs.
    A worker that stops removes itself. A lost one is listed for up to an hour; the next worker that starts on the same
    machine removes it if its process has ended.

    Cost: O(workers).
    Source: SQL ``honker_worker_list``.
    """
    found: list[WorkerInfo] = []
    while True:
        page = read_workers(self.engine.ask(_LIST, found[-1].name if found else None, _PER_PAGE))
        found += page
        if len(page) < _PER_PAGE:
            return found


async def aworkers(self: Handle) -> list[WorkerInfo]:
    """Like `workers`, without blocking the event loop."""
    found: list[WorkerInfo] = []
    while True:
        page = read_workers(await self.engine.aask(_LIST, found[-1].name if found else None, _PER_PAGE))
        found += page
        if len(page) < _PER_PAGE:
            return found


def read_workers(text: str) -> list[WorkerInfo]:
    """The workers in an answer of ``honker_worker_list``, with the processes of this machine looked up."""
    return [worker for worker, _ in _read(text)]


def ended_workers(text: str) -> list[str]:
    """The names of the workers in an answer of ``honker_worker_list`` whose processes, on this machine, have ended."""
    return [worker.name for worker, has_ended in _read(text) if has_ended]


def _read(text: str) -> Iterator[tuple[WorkerInfo, bool]]:
    for row in serialization.read(text):
        worker = _worker(row)
        has_ended = is_gone(row["pid_space"], worker.pid)
        yield replace(worker, state="lost") if has_ended else worker, has_ended


def _worker(row: Mapping[str, Any]) -> WorkerInfo:
    return WorkerInfo.of({**row, "running": [RunningJob.of(job) for job in row["running"]]})
