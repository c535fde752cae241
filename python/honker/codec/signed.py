"""Payloads with a signature: workers run only calls that were written with the key."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Final

from honker import serialization
from honker.codec.keys import key_list
from honker.errors import InvalidArgumentError, PayloadMismatchError

_KEY_MIN_BYTES: Final = 16
_PURPOSE: Final = b"honker payload\0"


class SignedCodec:
    """JSON after an HMAC-SHA256 of it: everyone can read it, and only a holder of a key can write it.

    It covers the name of the task, its arguments and the id of a result's job. A copy of a signed payload is valid
    again, so a program that can write to the file can repeat a call.

    Args:
        keys: The key, or several for a rotation: the first signs, all are accepted. 16 bytes or more each; text counts
            as UTF-8. Make one with ``secrets.token_hex(32)``.
        accept_plain: True to run payloads without a signature too, while jobs from before are in the queue.

    Raises:
        InvalidArgumentError: There is no key, or one is too short.
    """

    name = "signed"

    def __init__(self, keys: str | bytes | Sequence[str | bytes], *, accept_plain: bool = False) -> None:
        self.accept_plain = accept_plain
        self._keys = key_list(keys)
        for position, key in enumerate(self._keys):
            if len(key) < _KEY_MIN_BYTES:
                raise InvalidArgumentError(
                    f"the key at position {position} has {len(key)} bytes; it must have {_KEY_MIN_BYTES} or more: "
                    "make one with secrets.token_hex(32)"
                )

    def __repr__(self) -> str:
        return f"<honker.codec.SignedCodec with {len(self._keys)} keys>"

    def dumps(self, value: Any) -> str:
        """The signature and the JSON text."""
        text = serialization.encode(value)
        return f"{_signature(self._keys[0], text)} {text}"

    def loads(self, text: str) -> Any:
        """The value of a signed text.

        Raises:
            PayloadMismatchError: No key fits the signature.
        """
        signature, _, body = text.partition(" ")
        given = signature.encode(errors="replace")
        if not any(hmac.compare_digest(given, _signature(key, body).encode()) for key in self._keys):
            raise PayloadMismatchError(
                "the signature fits none of the keys: the payload was changed, or its writer has other keys"
            )
        return serialization.decode(body)


def _signature(key: bytes, text: str) -> str:
    return hmac.new(key, _PURPOSE + text.encode(errors="surrogatepass"), "sha256").hexdigest()
