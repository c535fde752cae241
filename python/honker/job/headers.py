"""The headers in the payload of a task's call: values that travel with a job beside its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

#: The only key in the payload of a task's call.
ENVELOPE: Final = "__honker_task__"
#: The only key in the payload of a call that a codec wrote. A worker that knows no codecs must not run it without its
#: arguments, so the key is another.
ENCODED: Final = "__honker_encoded_task__"

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def headers_of(payload: Any) -> Mapping[str, Any]:
    """The headers in a payload; empty for one without, and for one that is no call of a task."""
    headers = call_in(payload).get("headers")
    return MappingProxyType(cast("dict[str, Any]", headers)) if isinstance(headers, dict) else _NONE


def call_in(payload: Any) -> Mapping[str, Any]:
    """The call in a payload, plain or written by a codec; empty for one that is no call of a task."""
    fields = cast("dict[str, Any]", payload) if isinstance(payload, dict) else {}
    call = fields.get(ENVELOPE) or fields.get(ENCODED)
    return cast("dict[str, Any]", call) if isinstance(call, dict) else _NONE
