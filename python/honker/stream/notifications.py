"""Notifications: messages to the current listeners of a channel."""

from __future__ import annotations

import json
from typing import Any, Final

from honker.arguments import Call
from honker.engine import Handle
from honker.stream.log_reader import BATCH, LogReader, without_malformed

#: Seconds between a listener's checks without a commit.
FALLBACK_POLL_S: Final = 15.0

_LAST_ID: Final = "SELECT honker_notification_last_id(?)"
_READ_SINCE: Final = "SELECT honker_notification_read_since(?, ?, ?)"


class Notification:
    """A message on a channel.

    Attributes:
        id: A number that grows across all channels.
        channel: The channel's name.
        created_at: Unix seconds at which it was sent.
    """

    __slots__ = ("_text", "channel", "created_at", "id")

    def __init__(self, row: dict[str, Any]) -> None:
        self.id: int = row["id"]
        self.channel: str = row["channel"]
        self.created_at: float = row["created_at"]
        self._text: str | None = row["payload"]

    def __repr__(self) -> str:
        return f"<honker.Notification {self.id} on {self.channel!r}>"

    @property
    def payload(self) -> Any:
        """The message; text that is not JSON is returned unchanged."""
        if not self._text:
            return None
        try:
            return json.loads(self._text)
        except (ValueError, RecursionError):
            return self._text


class Listener(LogReader[Notification]):
    """An endless iterator over new notifications of a channel, for ``for`` and ``async for``.

    Every listener of a channel gets every notification, in order, once. It does not get notifications that were sent
    before its creation, or pruned before it read them. Get one from `Database.listen`.

    Attributes:
        channel: The channel's name.
    """

    def __init__(self, db: Handle, channel: str, fallback_poll_s: float | None = FALLBACK_POLL_S) -> None:
        super().__init__(db.engine, fallback_poll_s)
        self.channel = channel
        self._last_id: int = self._engine.ask(_LAST_ID, channel)

    def _next_page(self) -> Call:
        return _READ_SINCE, self.channel, self._last_id, BATCH

    def _advance(self, rows: list[dict[str, Any]]) -> list[Notification]:
        self._last_id = rows[-1]["id"]
        return [Notification(row) for row in without_malformed(rows)]
