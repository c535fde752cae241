"""The list of jobs, with its search and its states."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from honker.inspection import JobPage
from honker.queue.stats import QueueStats
from honker.web.job_filter import STATES, FilterError, JobFilter, parse
from honker.web.pages.queues import count
from honker.web.routing import Entry, get
from honker.web.verbs import verbs_for
from honker.web.view import View

_PER_PAGE: Final = 50
#: States with their fields of `QueueStats`.
_COUNTED: Final = {
    "ready": "ready",
    "delayed": "delayed",
    "running": "processing",
    "blocked": "blocked",
    "waiting": "waiting",
    "dead": "dead",
}


async def show(view: View) -> Response:
    """Show a page of the list."""
    wanted = JobFilter.of(view.request.query_params.items())
    try:
        text = view.query("q")
        if text is not None:
            state = {} if wanted.state is None else {"state": wanted.state}
            return view.go(view.link("/jobs", **{**state, **parse(text)}))
        conditions = wanted.conditions()
    except FilterError as error:
        page, trouble = JobPage(jobs=[], next=None, is_complete=True), str(error)
    else:
        page, trouble = await view.read(view.db.jobs, **conditions, after=view.query("after"), limit=_PER_PAGE), None
    return view.page(
        "jobs.html",
        filter=wanted,
        search=view.query("q") or wanted.text,
        trouble=trouble,
        page=page,
        tabs=await _tabs(view, wanted),
        verbs=verbs_for(wanted.state),
    )


async def _tabs(view: View, wanted: JobFilter) -> list[dict[str, Any]]:
    """The states, each with its URL, and with a count if only the queue is given."""
    others = {name: text for name, text in wanted.params.items() if name != "state"}
    counts: dict[str, tuple[int, bool]] = {}
    if wanted.is_only_queue:
        queue = others.get("queue")
        counts = _sums([await view.read(view.db.queue(queue).stats)] if queue else await count(view))
    return [
        {"state": state, "url": view.link("/jobs", **others, state=state), "count": counts.get(state or "")}
        for state in (None, *STATES)
    ]


def _sums(stats: list[QueueStats]) -> dict[str, tuple[int, bool]]:
    return {
        state: (
            sum(getattr(each, field) for each in stats),
            all(getattr(each, f"{field}_is_exact") for each in stats),
        )
        for state, field in _COUNTED.items()
    }


ENTRY: Final = Entry("/jobs", "Jobs", "j", also=("/job", "/operation"))
ROUTES: Final = (get("/jobs", show),)
