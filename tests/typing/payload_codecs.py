"""Codecs of applications. A line that a type checker must refuse ends with `# error:`."""

from typing import Any

from honker.codec import Codec, EncryptedCodec, JSONCodec, SignedCodec


class Own:
    name = "own"

    def dumps(self, value: Any) -> str:
        return ""

    def loads(self, text: str) -> Any:
        return None


class Bytes:
    name = "bytes"

    def dumps(self, value: Any) -> bytes:
        return b""

    def loads(self, text: str) -> Any:
        return None


codecs: list[Codec] = [JSONCodec(), SignedCodec("key"), EncryptedCodec([b"key"]), Own()]
wrong: Codec = Bytes()  # error: text, not bytes
SignedCodec(5)  # error: no key
