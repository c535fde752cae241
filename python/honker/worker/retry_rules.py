"""The rules of a task that decide, from the exception of a failed attempt, if and when the job runs again."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Final, NamedTuple, Self

from honker.job import Job
from honker.task.options import ExceptionTypes, RetryRule
from honker.task.registry import TaskSpec


class Ruling(NamedTuple):
    """The decision of the rules on one failed attempt.

    Attributes:
        gives_up: True if the job must not run again, whatever attempts are left.
        delay_s: Seconds until the next attempt; None leaves it to the delay of the task.
        note: A remark to keep with the error, or nothing.
    """

    gives_up: bool = False
    delay_s: float | None = None
    note: str = ""


#: The decision without rules: the task's delay, as long as attempts are left.
NO_RULING: Final = Ruling()
_GIVES_UP: Final = Ruling(gives_up=True)


class RetryRules(NamedTuple):
    """The rules of a task: ``give_up_on`` decides first, then ``retry_on``, then the callable ``retry``.

    Attributes:
        give_up_on: Classes of exceptions after which the job does not run again.
        retry_on: The only classes after which it does; None for all.
        retry: Chooses the delay, or gives up with None.
    """

    give_up_on: ExceptionTypes = ()
    retry_on: ExceptionTypes | None = None
    retry: RetryRule | None = None

    @classmethod
    def of(cls, spec: TaskSpec) -> Self | None:
        """The rules of a task; None if it has none."""
        if not spec.give_up_on and spec.retry_on is None and spec.retry is None:
            return None
        return cls(spec.give_up_on, spec.retry_on, spec.retry)

    def ruling(self, job: Job, error: BaseException) -> Ruling:
        """The decision on an exception; never raises."""
        if isinstance(error, self.give_up_on) or (self.retry_on is not None and not isinstance(error, self.retry_on)):
            return _GIVES_UP
        return NO_RULING if self.retry is None else _chosen(self.retry, job, error)

    def ruling_by_name(self, kinds: Collection[str]) -> Ruling:
        """The decision on an exception of another process, from the names of its class and of all bases."""
        if _names(self.give_up_on) & {*kinds}:
            return _GIVES_UP
        if self.retry_on is not None and not _names(self.retry_on) & {*kinds}:
            return _GIVES_UP
        return NO_RULING


def kinds_of(error: BaseException) -> list[str]:
    """The names of the class of an exception and of all bases, as `RetryRules.ruling_by_name` takes them."""
    return sorted(_names(type(error).__mro__))


def _names(kinds: tuple[type, ...]) -> set[str]:
    return {f"{kind.__module__}.{kind.__qualname__}" for kind in kinds}


def _chosen(retry: Callable[[BaseException, Job], float | None], job: Job, error: BaseException) -> Ruling:
    """The decision of a task's own function. Its failure must not lose the error of the handler."""
    try:
        delay_s = retry(error, job)
        if delay_s is None:
            return _GIVES_UP
        chosen = float(delay_s)
    except OverflowError:  # An int that is larger than any float.
        return Ruling(delay_s=math.inf)
    except Exception as failure:
        return Ruling(note=f"\nretry= of the task failed, so its retry_delay_s is used: {type(failure).__qualname__}")
    if math.isnan(chosen):
        return Ruling(note="\nretry= of the task returned NaN, so its retry_delay_s is used")
    return Ruling(delay_s=chosen)
