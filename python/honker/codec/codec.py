"""Codecs: the text of the arguments and results of tasks, as it is stored."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from honker import serialization


@runtime_checkable
class Codec(Protocol):
    """Writes the arguments and results of the tasks of a registry as text, and reads them back.

    Producers and workers need the same codec. Each payload has the name of the codec that wrote it.
    """

    @property
    def name(self) -> str:
        """The name in each payload that it writes; give a new format a new name."""
        ...

    def dumps(self, value: Any) -> str:
        """The text of a value of JSON: None, bool, int, float, str, and lists and dicts of these."""
        ...

    def loads(self, text: str) -> Any:
        """The value of a text.

        Raises:
            ValueError: The text is damaged, forged, or written with other keys. The message is kept with the job.
        """
        ...


class JSONCodec:
    """The default: plain JSON in the payload itself, which every language reads."""

    name = "json"

    def dumps(self, value: Any) -> str:
        """The JSON text."""
        return serialization.encode(value)

    def loads(self, text: str) -> Any:
        """The value of a JSON text."""
        return serialization.decode(text)
