"""Payloads: any value that JSON can carry."""

from __future__ import annotations

import json
from typing import Any

from honker.errors import InvalidPayloadError


def encode(payload: Any) -> str:
    """The JSON text that is stored.

    The default formatting of ``json.dumps``, on which readers of the table rely. NaN and infinities are refused:
    Python would write them, and no other language could read them.

    Raises:
        InvalidPayloadError: The value has no JSON form.
    """
    try:
        return json.dumps(payload, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayloadError(f"the payload cannot be written as JSON: {error}") from error


def decode(text: str | None) -> Any:
    """The value of a stored payload; None for none.

    Raises:
        json.JSONDecodeError: Somebody stored what is not JSON.
    """
    return json.loads(text) if text else None
