"""Payloads that only a holder of the key can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from honker import serialization
from honker.codec.keys import key_list
from honker.errors import InvalidArgumentError, PayloadMismatchError


class EncryptedCodec:
    """JSON, encrypted and signed with Fernet (AES-128-CBC and HMAC-SHA256) of ``cryptography``.

    The arguments and results are secret; the name of the task, the queue, keys, times and error texts are not. A copy
    of a payload is valid again, so a program that can write to the file can repeat a call. Install
    ``honker-db[crypto]``.

    Args:
        keys: The key, or several for a rotation: the first encrypts, all decrypt. Make one with `generate_key`.
        accept_plain: True to run plain payloads too, while jobs from before are in the queue.

    Raises:
        InvalidArgumentError: There is no key, or one is no Fernet key.
        ImportError: ``cryptography`` is not installed.
    """

    name = "encrypted"

    def __init__(self, keys: str | bytes | Sequence[str | bytes], *, accept_plain: bool = False) -> None:
        fernet = _fernet()
        self.accept_plain = accept_plain
        made: list[Any] = []
        for position, key in enumerate(key_list(keys)):
            try:
                made.append(fernet.Fernet(key))
            except ValueError:
                raise InvalidArgumentError(
                    f"the key at position {position} is no Fernet key; make one with EncryptedCodec.generate_key()"
                ) from None
        self._count = len(made)
        self._fernet = fernet.MultiFernet(made)
        self._invalid: type[Exception] = fernet.InvalidToken

    def __repr__(self) -> str:
        return f"<honker.codec.EncryptedCodec with {self._count} keys>"

    @staticmethod
    def generate_key() -> str:
        """A new key; keep it with the other secrets of the application."""
        return _fernet().Fernet.generate_key().decode()

    def dumps(self, value: Any) -> str:
        """The encrypted JSON text."""
        return self._fernet.encrypt(serialization.encode(value).encode()).decode()

    def loads(self, text: str) -> Any:
        """The value of an encrypted text.

        Raises:
            PayloadMismatchError: No key fits.
        """
        try:
            body: bytes = self._fernet.decrypt(text)
        except self._invalid:
            raise PayloadMismatchError(
                "none of the keys decrypts it: the payload was changed, or its writer has other keys"
            ) from None
        return serialization.decode(body.decode())


def _fernet() -> Any:
    try:
        from cryptography import fernet  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError("EncryptedCodec needs the package cryptography: pip install 'honker-db[crypto]'") from error
    return fernet
