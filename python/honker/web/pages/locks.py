"""The page of locks that are held."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from honker.schedule.scheduler import Scheduler
from honker.web.routing import Entry, get
from honker.web.view import View


async def locks(view: View) -> Response:
    """List the locks that are held."""
    return view.page("locks.html", locks=await view.read(view.db.locks), leader=Scheduler.LOCK_NAME)


ENTRY: Final = Entry("/locks", "Locks", "l")
ROUTES: Final = (get("/locks", locks),)
