"""Settlements: the ways in which a claimed job ends, and the backlog that the next round writes."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from honker.job import Job

#: Characters of all results in one round: a round is one SQL argument, which has an upper bound.
_ROUND_MAX_CHARS: Final = 32 * 1024 * 1024

_ENCODE: Final = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Ack:
    """The job is done.

    Attributes:
        result: The JSON text of its result; None stores none.
        result_ttl_s: Seconds for which the result is kept; 0 for good.
        withheld: Makes the settlement with the result that this one does not send; None if there is none. It is used if
            a job has begun to wait for this one since its claim.
    """

    result: str | None = None
    result_ttl_s: float = 0
    withheld: Callable[[], Ack] | None = None

    def as_json(self) -> dict[str, Any]:
        """The settlement as ``honker_work`` takes it, without the job."""
        if self.withheld is not None:
            return {"do": "ack", "withholds_result": True}
        if self.result is None:
            return {"do": "ack"}
        return {"do": "ack", "result": self.result, "result_ttl_s": self.result_ttl_s}


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed. The job is due again after ``delay_s``, or dead if that was its last attempt."""

    delay_s: float
    error: str

    def as_json(self) -> dict[str, Any]:
        """The settlement as ``honker_work`` takes it, without the job."""
        return {"do": "retry", "delay_s": self.delay_s, "error": self.error}


@dataclass(frozen=True, slots=True)
class Fail:
    """The job is dead-lettered.

    Attributes:
        is_discarded: True if its handler has asked for that.
    """

    error: str
    is_discarded: bool = False

    def as_json(self) -> dict[str, Any]:
        """The settlement as ``honker_work`` takes it, without the job."""
        return {"do": "fail", "error": self.error}


@dataclass(frozen=True, slots=True)
class Release:
    """The job is given back; the attempt is not charged.

    Attributes:
        delay_s: Seconds until it is due again; 0 leaves it at its old place.
        error: The reason, kept with the job; None keeps the reason that it has.
        is_unknown: True if this process does not know the job's task.
    """

    delay_s: float = 0
    error: str | None = None
    is_unknown: bool = False

    def as_json(self) -> dict[str, Any]:
        """The settlement as ``honker_work`` takes it, without the job."""
        if self == _RELEASE:
            return {"do": "release"}
        return {"do": "release", "delay_s": self.delay_s, "error": self.error, "is_unknown": self.is_unknown}


_RELEASE: Final = Release()

#: The jobs that a handler's `honker.RateLimited` holds back.
Hold: TypeAlias = Literal["queue", "key"]


@dataclass(frozen=True, slots=True)
class Snoozed:
    """The job is put off by its handler; the attempt is not charged.

    Attributes:
        delay_s: Seconds until it is due again.
        error: The reason, kept with the job; None keeps the reason that it has.
        hold: The jobs that are held back as long; None holds only this one.
    """

    delay_s: float
    error: str | None = None
    hold: Hold | None = None

    def as_json(self) -> dict[str, Any]:
        """The settlement as ``honker_work`` takes it, without the job."""
        return {"do": "snooze", "delay_s": self.delay_s, "error": self.error, "hold": self.hold}


@dataclass(frozen=True, slots=True)
class Cancel:
    """The job ends as cancelled, as it was asked to."""

    def as_json(self) -> dict[str, Any]:
        """The settlement as ``honker_work`` takes it, without the job."""
        return {"do": "cancel"}


#: The answer of ``honker_work`` to a settlement that was made.
HELD: Final = 1
#: The answer to one whose withheld result a job waits for.
_AWAITED: Final = 2

Settlement: TypeAlias = Ack | Retry | Fail | Release | Snoozed | Cancel


@dataclass(frozen=True, slots=True)
class Committed:
    """The transaction of the handler has settled the job already, or was rolled back because the lease was lost."""

    is_held: bool


Outcome: TypeAlias = Settlement | Committed


class FinishedJob(NamedTuple):
    """A claimed job and its settlement.

    Attributes:
        run_s: Seconds that its handler ran, for the history of the job; None if that is not known, or not kept.
        task: The name of its task, for the counters of the file; empty if nothing is counted.
    """

    job: Job
    settlement: Settlement
    run_s: float | None = None
    task: str = ""


def awaited(settlement: Settlement, answer: int) -> Ack | None:
    """The settlement with the withheld result, if ``honker_work`` has answered that a job waits for it."""
    if answer != _AWAITED or not isinstance(settlement, Ack) or settlement.withheld is None:
        return None
    return settlement.withheld()


def encode(finished: Iterable[FinishedJob]) -> str:
    """The argument of ``honker_work`` that settles these jobs."""
    return f"[{','.join(map(_encode_one, finished))}]"


def _encode_one(one: FinishedJob) -> str:
    job, settlement, run_s, task = one
    # Most settlements are these, and take a third of the time this way.
    if type(settlement) is Ack and settlement.result is settlement.withheld is run_s is None and not task:
        return f'{{"id":{job.id},"attempt":{job.attempts},"do":"ack"}}'
    return _ENCODE(_as_json(one))


def _as_json(one: FinishedJob) -> dict[str, Any]:
    fields = {"id": one.job.id, "attempt": one.job.attempts, **one.settlement.as_json()}
    if one.run_s is not None:
        fields["run_s"] = one.run_s
    if one.task:
        fields["task"] = one.task
    return fields


class Backlog:
    """Finished jobs that are not settled yet, oldest first.

    Args:
        round_max_jobs: Jobs that one call of ``honker_work`` settles at most.
    """

    def __init__(self, round_max_jobs: int) -> None:
        self._round_max_jobs = round_max_jobs
        self._jobs: deque[FinishedJob] = deque()
        self._has_results = False  # since it was empty

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job, settlement: Settlement, run_s: float | None = None, task: str = "") -> None:
        """Settle a job in one of the next rounds."""
        self._jobs.append(FinishedJob(job, settlement, run_s, task))
        if type(settlement) is Ack and settlement.result is not None:
            self._has_results = True

    def take(self) -> list[FinishedJob]:
        """Remove and return as many jobs as fit into one round."""
        if not self._has_results and len(self._jobs) <= self._round_max_jobs:
            everything = list(self._jobs)
            self._jobs.clear()
            return everything
        taken: list[FinishedJob] = []
        chars = 0
        while self._jobs and chars < _ROUND_MAX_CHARS and len(taken) < self._round_max_jobs:
            one = self._jobs.popleft()
            taken.append(one)
            if isinstance(one.settlement, Ack) and one.settlement.result is not None:
                chars += len(one.settlement.result)
        self._has_results = self._has_results and bool(self._jobs)
        return taken

    def put_back(self, taken: list[FinishedJob]) -> None:
        """Undo a `take` whose round failed."""
        self._jobs.extendleft(reversed(taken))
        self._has_results = True  # perhaps: the next `take` counts
