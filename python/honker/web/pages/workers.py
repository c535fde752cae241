"""The page of workers: their processes, and the jobs that they run."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from honker.inspection.listing import JobSummary
from honker.web.routing import Entry, get
from honker.web.view import View
from honker.worker.listing import WorkerInfo

#: Running jobs whose progress is looked up.
_MAX_JOBS: Final = 200


async def workers(view: View) -> Response:
    """List the workers with their jobs."""
    found = await view.read(view.db.workers)
    return view.page("workers.html", workers=found, jobs=await _jobs(view, found))


async def _jobs(view: View, workers: list[WorkerInfo]) -> dict[int, JobSummary]:
    """The running jobs by id, for their progress."""
    ids = [job.id for worker in workers for job in worker.running][:_MAX_JOBS]
    if not ids:
        return {}
    page = await view.read(view.db.jobs, ids=ids, limit=_MAX_JOBS)
    return {job.id: job for job in page.jobs}


ENTRY: Final = Entry("/workers", "Workers", "w")
ROUTES: Final = (get("/workers", workers),)
