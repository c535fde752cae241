"""The message that the next page shows after a change, with a button that undoes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

#: The cookie that carries it. It is deleted when it is shown.
COOKIE: Final = "honker_flash"
#: Seconds for which it waits for the next page.
MAX_AGE_S: Final = 60
#: Browsers keep cookies of up to 4 KiB.
_MAX_CHARACTERS: Final = 3_500
#: The paths to which an undo button may post: a forged cookie can name no other.
UNDO_PATHS: Final = (
    "/queue/pause",
    "/queue/resume",
    "/jobs/restore",
    "/schedules/pause",
    "/schedules/resume",
    "/limits/set",
)


@dataclass(frozen=True)
class Undo:
    """The form that takes a change back.

    Attributes:
        path: The path that it posts to, one of `UNDO_PATHS`.
        fields: Its hidden fields.
    """

    path: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Flash:
    """A message.

    Attributes:
        text: One sentence.
        is_error: True if the change was refused.
        undo: The form that takes the change back, or None.
    """

    text: str
    is_error: bool = False
    undo: Undo | None = None

    def packed(self) -> str:
        """The value of the cookie."""
        undo = None if self.undo is None else [self.undo.path, dict(self.undo.fields)]
        text = base64.urlsafe_b64encode(json.dumps([self.text[:500], self.is_error, undo]).encode()).decode()
        return text if len(text) <= _MAX_CHARACTERS else Flash(self.text[:500], self.is_error).packed()


def unpack(cookie: str | None) -> Flash | None:
    """The message in a cookie; None without one, or if another program wrote it."""
    if not cookie:
        return None
    try:
        text, is_error, undo = json.loads(base64.urlsafe_b64decode(cookie))
        return Flash(str(text), bool(is_error), None if undo is None else _undo(*undo))
    except (ValueError, TypeError):
        return None


def _undo(path: str, fields: Mapping[str, Any]) -> Undo | None:
    return Undo(path, {str(name): str(value) for name, value in fields.items()}) if path in UNDO_PATHS else None
