"""The payload of a task's call: an envelope with the task's name and arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from honker.codec import Codec, sealing
from honker.errors import PayloadMismatchError
from honker.job.headers import ENCODED, ENVELOPE, headers_of
from honker.task.parents import FromParents


def envelope(
    name: str,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
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


def sealed(codec: Codec | None, payload: dict[str, Any]) -> dict[str, Any]:
    """An envelope as it is stored: plain for the default codec, or the text of the codec and the task's name.

    Raises:
        InvalidPayloadError: The codec cannot write it.
    """
    if codec is None or sealing.is_plain(codec):
        return payload
    call: dict[str, Any] = payload[ENVELOPE]
    shown = {name: call[name] for name in ("task", "headers") if name in call}
    return {ENCODED: shown | {"codec": codec.name, "body": sealing.written(codec, call)}}


class Invocation(NamedTuple):
    """A task call, read from its payload.

    Attributes:
        task: The task's name.
        args: Its positional arguments, without those that come from parents.
        kwargs: Its keyword arguments.
        from_parents: The arguments that come first and that the parents give; None if they give none.
        codec: The name of the codec that wrote it; None for plain JSON. Its arguments are those of `opened`.
        body: The text of the codec.
        headers: The headers outside of that text.
    """

    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    from_parents: FromParents | None = None
    codec: str | None = None
    body: str = ""
    headers: Mapping[str, Any] | None = None


def read_own_call(payload: Any) -> tuple[str, list[Any], dict[str, Any]] | None:
    """The task and the arguments of a call in plain JSON that takes none from parents: of most calls.

    Returns:
        None for every other payload, such as one that `read_envelope` can read.
    """
    fields: Any = payload
    if not isinstance(payload, dict) or len(fields) != 1:
        return None
    found = call = fields.get(ENVELOPE)
    if not isinstance(found, dict) or "parents" in call:
        return None
    name, args, kwargs = values = call.get("task"), call.get("args"), call.get("kwargs")
    is_call = isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)
    return values if is_call else None


def read_envelope(payload: Any) -> Invocation | None:
    """The call in a payload; None if the payload is not a call."""
    fields: Any = payload
    if not isinstance(payload, dict) or len(fields) != 1:
        return None
    return _sealed_call(fields[ENCODED]) if ENCODED in fields else _plain_call(fields.get(ENVELOPE))


def opened(invocation: Invocation, codec: Codec | None, *, allows_plain: bool = False) -> Invocation:
    """The call with its arguments.

    Args:
        invocation: The call, from `read_envelope`.
        codec: The codec of the registry.
        allows_plain: True to accept a plain call, whatever the codec.

    Raises:
        PayloadMismatchError: It was written by another codec, or the codec refuses it.
    """
    if invocation.codec is None:
        if allows_plain or sealing.accepts_plain(codec):
            return invocation
        name = "json" if codec is None else codec.name
        raise PayloadMismatchError(
            f"it is plain JSON, and the codec here is {name!r}; give producers and workers the same"
        )
    call: Any = sealing.read(codec, invocation.codec, invocation.body)
    found = _plain_call(call)
    if found is None or found.task != invocation.task or headers_of({ENVELOPE: call}) != invocation.headers:
        raise PayloadMismatchError(
            f"the codec {invocation.codec!r} wrote the call of another task, or with other headers"
        )
    return found


def _sealed_call(call: Any) -> Invocation | None:
    if not isinstance(call, dict):
        return None
    fields = cast("dict[str, Any]", call)
    name, codec, body = fields.get("task"), fields.get("codec"), fields.get("body")
    if not (isinstance(name, str) and isinstance(codec, str) and isinstance(body, str)):
        return None
    return Invocation(name, [], {}, codec=codec, body=body, headers=headers_of({ENCODED: call}))


def _plain_call(call: Any) -> Invocation | None:
    fields: Any = call  # without `cast`, which takes as long as a look into the dict
    if not isinstance(call, dict):
        return None
    name, args, kwargs = fields.get("task"), fields.get("args", []), fields.get("kwargs", {})
    if not (isinstance(name, str) and isinstance(args, list) and isinstance(kwargs, dict)):
        return None
    given = fields.get("parents")
    if given is None:
        return Invocation(name, args, kwargs)
    from_parents = FromParents.read(given)
    return None if from_parents is None else Invocation(name, args, kwargs, from_parents)
