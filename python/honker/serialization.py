"""Payloads: any value that JSON can carry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from json import encoder
from typing import Any, Final

from honker.errors import InvalidPayloadError, UnreadablePayloadError

# The formatting is the default one, on which readers of the table rely. NaN and infinities are refused: Python would
# write them, and no other language read them.
_ENCODER: Final = json.JSONEncoder(allow_nan=False)


def _fast_encoder() -> Callable[[Any, int], Iterable[str]] | None:
    """The encoder in C below `_ENCODER`, which makes a new one for each text: that takes longer than a small payload.

    It is not part of what Python documents, so an interpreter may be without it. Unlike `_ENCODER` it does not look for
    circles: they end as too deep a recursion.
    """
    make: Any = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return None
    return make(None, _ENCODER.default, encoder.encode_basestring_ascii, None, ": ", ", ", False, False, False)


_encode: Final = _fast_encoder()


def encode(payload: Any) -> str:
    """The JSON text that is stored, as ``json.dumps`` formats it.

    Raises:
        InvalidPayloadError: The value has no JSON form.
    """
    try:
        if _encode is not None:
            return "".join(_encode(payload, 0))
    except (TypeError, ValueError, RecursionError):
        pass  # `_ENCODER` says better what is wrong
    try:
        return _ENCODER.encode(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"the payload cannot be written as JSON: {error}") from error


def encode_all(payloads: Iterable[Any]) -> str:
    """A JSON array whose elements are each the text that `encode` makes of a payload.

    Raises:
        InvalidPayloadError: A value has no JSON form.
    """
    values = list(payloads)
    try:
        return _ENCODER.encode(values)
    except (TypeError, ValueError, RecursionError) as error:
        for position, value in enumerate(values):
            try:
                encode(value)
            except InvalidPayloadError as culprit:
                raise InvalidPayloadError(f"at position {position}: {culprit}") from culprit.__cause__
        raise InvalidPayloadError(f"the payloads cannot be written as JSON: {error}") from error


_scan: Final = json.JSONDecoder().raw_decode


def read(text: str) -> Any:
    """The value of JSON that the engine wrote, with nothing around it; takes half as long as ``json.loads``."""
    return _scan(text)[0]


def decode(text: str | None) -> Any:
    """The value of a stored payload; None for none.

    Raises:
        UnreadablePayloadError: The text is not JSON, or JSON that Python does not read: too deeply nested, or an
            integer of more digits than ``sys.get_int_max_str_digits()``.
    """
    if not text:
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadablePayloadError(error.msg, error.doc, error.pos) from error
    except (RecursionError, ValueError) as error:
        raise UnreadablePayloadError(str(error), text[:100], 0) from error
