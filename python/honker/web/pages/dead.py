"""Dead letters, grouped by queue, task and error."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from honker.web.routing import Entry, get
from honker.web.view import View

#: The windows, as the URL names them, with their seconds and titles.
WINDOWS: Final = {
    "1h": (3_600, "1 hour"),
    "3h": (10_800, "3 hours"),
    "24h": (86_400, "24 hours"),
    "3d": (259_200, "3 days"),
    "7d": (604_800, "7 days"),
}
_GROUPS: Final = 100


async def show(view: View) -> Response:
    """Show the groups."""
    window, queue = view.query("window"), view.query("queue")
    since_s = WINDOWS[window][0] if window in WINDOWS else None
    groups = await view.read(view.db.dead_groups, queue=queue, since_s=since_s, limit=_GROUPS)
    return view.page("dead.html", groups=groups, windows=WINDOWS, window=window if since_s else None, queue_name=queue)


ENTRY: Final = Entry("/dead", "Dead", "d")
ROUTES: Final = (get("/dead", show),)
