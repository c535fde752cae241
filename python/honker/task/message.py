"""The payload of a task's call: an envelope with the task's name and arguments."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from honker.job.headers import ENVELOPE
from honker.task.parents import FromParents


def envelope(
    name: str,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    from_parents: FromParents | None = None,
    headers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The payload of a call. One without headers, and without arguments from parents, is as the reference writes it."""
    call: dict[str, Any] = {"task": name, "args": list(args), "kwargs": kwargs or {}}
    if from_parents is not None:
        call["parents"] = from_parents.as_json()
    if headers:
        call["headers"] = headers
    return {ENVELOPE: call}


class Invocation(NamedTuple):
    """A task call, read from its payload.

    Attributes:
        task: The task's name.
        args: Its positional arguments, without those that come from parents.
        kwargs: Its keyword arguments.
        from_parents: The arguments that come first and that the parents give; None if they give none.
    """

    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    from_parents: FromParents | None = None


def read_envelope(payload: Any) -> Invocation | None:
    """The call in a payload; None if the payload is not a call."""
    if not isinstance(payload, dict) or len(cast("dict[str, Any]", payload)) != 1:
        return None
    call: Any = cast("dict[str, Any]", payload).get(ENVELOPE)
    if not isinstance(call, dict):
        return None
    fields = cast("dict[str, Any]", call)
    name, args, kwargs = fields.get("task"), fields.get("args", []), fields.get("kwargs", {})
    if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
        return None
    given = fields.get("parents")
    from_parents = None if given is None else FromParents.read(given)
    if given is not None and from_parents is None:
        return None
    return Invocation(name, cast("list[Any]", args), cast("dict[str, Any]", kwargs), from_parents)
