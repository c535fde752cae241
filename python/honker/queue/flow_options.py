"""The options that relate a job to other jobs: keys, unique keys and parents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

from honker.arguments import optional_seconds, whole
from honker.errors import InvalidArgumentError

#: Options by name, as the engine takes them.
Flow: TypeAlias = dict[str, Any]


class HasId(Protocol):
    """An object that stands for a job: `honker.Job`, `honker.TaskResult` and the like."""

    @property
    def id(self) -> int:
        """The job's id."""
        ...


#: A job, or its id.
JobReference: TypeAlias = int | HasId

_SPANS: Final = "unique_for_s", "debounce_s", "debounce_max_s"


def flow_options(**options: Any) -> Flow | None:
    """The options that have a value, converted for the engine; None without any.

    The engine checks ranges and contradictions, so its messages are the same in every language.

    Raises:
        InvalidArgumentError: A number is no number, or ``after`` names no jobs.
    """
    flow = {name: value for name, value in options.items() if value is not None}
    if not flow:
        return None
    for name in _SPANS:
        if name in flow:
            flow[name] = optional_seconds(flow[name], name)
    if "after" in flow:
        flow["after"] = job_ids(flow["after"], "after")
    return flow


def flow_of_many(key: Any, unique_key: Any, **options: Any) -> str | None:
    """The options of several jobs as JSON: an object for all, or an array with one for each; None without any."""
    lists = {name: value for name, value in (("key", key), ("unique_key", unique_key)) if _is_list(value)}
    if not lists:
        flow = flow_options(key=key, unique_key=unique_key, **options)
        return None if flow is None else encode(flow)
    if len({len(values) for values in lists.values()}) > 1:
        raise InvalidArgumentError(
            f"key has {len(key)} values and unique_key has {len(unique_key)}; give one value for each job"
        )
    one_for_all = {"key": key, "unique_key": unique_key} | options
    shared = flow_options(**{name: value for name, value in one_for_all.items() if name not in lists}) or {}
    rows = [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]
    return encode([shared | {name: value for name, value in row.items() if value is not None} or None for row in rows])


def job_ids(jobs: Iterable[JobReference], argument: str) -> list[int]:
    """The ids of some jobs.

    Raises:
        InvalidArgumentError: One of them is neither a job nor an id.
    """
    if isinstance(jobs, (str, bytes)) or not isinstance(cast("object", jobs), Iterable):
        raise InvalidArgumentError(f"{argument} is {jobs!r}; it must be a list of jobs or of job ids")
    return [whole(cast("int", getattr(job, "id", job)), f"{argument} at position {n}") for n, job in enumerate(jobs)]


def encode(flow: object) -> str:
    """Options as JSON text.

    Raises:
        InvalidArgumentError: A value has no JSON form.
    """
    try:
        return json.dumps(flow, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(f"an option of the job has no JSON form: {error}") from error


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))
