"""The keys of a codec."""

from __future__ import annotations

from collections.abc import Sequence

from honker.errors import InvalidArgumentError


def key_list(keys: str | bytes | Sequence[str | bytes]) -> list[bytes]:
    """The keys as bytes, the one for writing first.

    Raises:
        InvalidArgumentError: There is none, or one is neither text nor bytes. The message does not show it.
    """
    found = [keys] if isinstance(keys, (str, bytes)) else list(keys)
    if not found:
        raise InvalidArgumentError("keys is empty; pass at least one key")
    for position, key in enumerate(found):
        if not isinstance(key, (str, bytes)):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            raise InvalidArgumentError(f"the key at position {position} is a {type(key).__name__}; pass text or bytes")
    return [key.encode() if isinstance(key, str) else key for key in found]
