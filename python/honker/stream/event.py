"""An event of a stream."""

from __future__ import annotations

from typing import Any, Final

from honker import serialization

_UNDECODED: Final = object()


class Event:
    """An event of a stream.

    Attributes:
        offset: Its position in the log. Offsets count over all topics, so the offsets of one topic have gaps.
        topic: The topic's name.
        key: The key it was published with, or None.
        created_at: Unix seconds at which it was published.
    """

    __slots__ = ("_payload", "_text", "created_at", "key", "offset", "topic")

    def __init__(self, row: dict[str, Any]) -> None:
        self.offset: int = row["offset"]
        self.topic: str = row["topic"]
        self.key: str | None = row["key"]
        self.created_at: float = row["created_at"]
        self._text: str = row["payload"]
        self._payload: Any = _UNDECODED

    def __repr__(self) -> str:
        return f"<honker.Event {self.offset} of {self.topic!r}>"

    @property
    def payload(self) -> Any:
        """The published value, decoded on first access.

        Raises:
            json.JSONDecodeError: The stored text is not JSON.
        """
        if self._payload is _UNDECODED:
            self._payload = serialization.decode(self._text)
        return self._payload
