"""The payload of a task's call: an envelope with the task's name and arguments."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

#: The only key in the payload of a task's call.
ENVELOPE: Final = "__honker_task__"


def envelope(name: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> dict[str, Any]:
    """The payload of a call."""
    return {ENVELOPE: {"task": name, "args": list(args), "kwargs": kwargs or {}}}


class Invocation(NamedTuple):
    """A task call, read from its payload."""

    task: str
    args: list[Any]
    kwargs: dict[str, Any]


def read_envelope(payload: Any) -> Invocation | None:
    """The call in a payload; None if the payload is not a call."""
    if not isinstance(payload, dict) or len(cast("dict[str, Any]", payload)) != 1:
        return None
    call: Any = cast("dict[str, Any]", payload).get(ENVELOPE)
    if not isinstance(call, dict):
        return None
    fields = cast("dict[str, Any]", call)
    name, args, kwargs = fields.get("task"), fields.get("args", []), fields.get("kwargs", {})
    if isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict):
        return Invocation(name, cast("list[Any]", args), cast("dict[str, Any]", kwargs))
    return None
