"""Notifications: messages to whoever listens on a channel at the moment."""

from __future__ import annotations

import json
from typing import Any, Final

from honker import payload as payloads
from honker.feed import BATCH, Feed, without_malformed
from honker.pool import Pool

#: Seconds after which a listener looks even if nothing woke it.
FALLBACK_POLL_S: Final = 15.0


class Notification:
    """A message on a channel.

    Attributes:
        id: Grows over all channels together.
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
        """What was sent; text that is not JSON comes as it is."""
        if not self._text:
            return None
        try:
            return json.loads(self._text)
        except (ValueError, RecursionError):
            return self._text


class Listener(Feed[Notification]):
    """The notifications of a channel from now on, for ``for`` and ``async for``; never ends by itself.

    Every listener of a channel gets every notification, in order, once. What was sent before it was made, or was
    pruned before it came to read it, it does not get. Get one from `Database.listen`.

    Attributes:
        channel: The channel's name.
    """

    def __init__(self, db: Pool, channel: str, fallback_poll_s: float | None = FALLBACK_POLL_S) -> None:
        super().__init__(db, fallback_poll_s)
        self.channel = channel
        self._last_id: int = db.ask("SELECT honker_notification_last_id(?)", channel)

    def _read(self) -> list[Notification]:
        while rows := self._rows_since(self._last_id):
            self._last_id = rows[-1]["id"]
            if notifications := [Notification(row) for row in without_malformed(rows)]:
                return notifications
        return []

    def _rows_since(self, last_id: int) -> list[dict[str, Any]]:
        text: str = self._db.ask("SELECT honker_notification_read_since(?, ?, ?)", self.channel, last_id, BATCH)
        return payloads.read(text)
