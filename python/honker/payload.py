"""Payloads: any value that JSON can carry."""

from __future__ import annotations

import json
from typing import Any, Final

from honker.errors import InvalidPayloadError

# `json.dumps` builds one of these at each call that is not all defaults. The formatting is the default one, on which
# readers of the table rely. NaN and infinities are refused: Python would write them, and no other language read them.
_ENCODER: Final = json.JSONEncoder(allow_nan=False)


def encode(payload: Any) -> str:
    """The JSON text that is stored, as ``json.dumps`` formats it.

    Raises:
        InvalidPayloadError: The value has no JSON form.
    """
    try:
        return _ENCODER.encode(payload)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"the payload cannot be written as JSON: {error}") from error


def decode(text: str | None) -> Any:
    """The value of a stored payload; None for none.

    Raises:
        json.JSONDecodeError: Somebody stored what is not JSON.
    """
    return json.loads(text) if text else None
