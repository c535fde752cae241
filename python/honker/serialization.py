"""Encoding and decoding of payloads as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from json import encoder
from typing import Any, Final

from honker.errors import InvalidPayloadError, UnreadablePayloadError

# The default formatting, on which readers of the table rely. NaN and infinities are rejected: Python can write them,
# but other languages cannot read them.
_ENCODER: Final = json.JSONEncoder(allow_nan=False)


def _fast_encoder() -> Callable[[Any, int], Iterable[str]] | None:
    """The C encoder behind `_ENCODER`.

    `_ENCODER` creates one for each text, which takes longer than encoding a small payload. Python does not document the
    C encoder, so an interpreter may lack it. Unlike `_ENCODER`, it does not detect circular references, which exceed
    the recursion limit.
    """
    make: Any = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return None
    return make(None, _ENCODER.default, encoder.encode_basestring_ascii, None, ": ", ", ", False, False, False)


_encode: Final = _fast_encoder()


def encode(payload: Any) -> str:
    """The JSON text to store, formatted like ``json.dumps``.

    Raises:
        InvalidPayloadError: The value has no JSON form.
    """
    try:
        if _encode is not None:
            return "".join(_encode(payload, 0))
    except (TypeError, ValueError, RecursionError):
        pass  # `_ENCODER` raises a clearer error
    try:
        return _ENCODER.encode(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"the payload cannot be written as JSON: {error}") from error


def encode_all(payloads: Iterable[Any]) -> str:
    """A JSON array of payloads, each with the same text as from `encode`.

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
    """Decode JSON from the engine, without surrounding space; takes half as long as ``json.loads``."""
    return _scan(text)[0]


def decode(text: str | None) -> Any:
    """The value of a stored payload; None for none.

    Raises:
        UnreadablePayloadError: The stored text is not JSON, or Python cannot read it: it is too deeply nested, or has
            an integer of more digits than ``sys.get_int_max_str_digits()``.
    """
    if not text:
        return None
    try:
        value, end = _scan(text)
        if end == len(text):
            return value
    except (RecursionError, ValueError):
        pass  # `json.loads` skips space, and raises a clearer error
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadablePayloadError(error.msg, error.doc, error.pos) from error
    except (RecursionError, ValueError) as error:
        raise UnreadablePayloadError(str(error), text[:100], 0) from error
