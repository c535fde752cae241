"""The page of one job: its story, its payload, and the reason why it is not running."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker import serialization
from honker.inspection import JobDetail
from honker.web.routing import get, post
from honker.web.view import View


async def show(view: View) -> Response:
    """Show one job."""
    job_id: int = view.request.path_params["id"]
    job = await view.db.ajob(job_id)
    if job is None:
        return view.page("job_gone.html", 404, job_id=job_id)
    return view.page("job.html", job=job)


async def copy(view: View) -> Response:
    """Enqueue the same payload once more."""
    job_id = view.number("id")
    job = await view.db.ajob(job_id)
    if job is None:
        raise HTTPException(404, f"Job {job_id} is gone; its payload is not known any more.")
    new_id = await enqueue_again(view, job.queue, options_of(job, keeps_time=False))
    return view.done(f"Job {new_id} has the payload of job {job_id}.", view.link(f"/job/{new_id}"))


def options_of(job: JobDetail, *, keeps_time: bool) -> dict[str, Any]:
    """The options that enqueue a job again.

    Args:
        job: The job.
        keeps_time: True to run it when it would have run, under its unique key; False for a further job.

    Raises:
        UnreadablePayloadError: Its payload is not JSON.
    """
    options: dict[str, Any] = {
        "payload": serialization.decode(job.payload),
        "priority": job.priority,
        "max_attempts": job.max_attempts,
        "key": job.key,
    }
    if keeps_time:
        options |= {"run_at": job.run_at, "unique_key": job.unique_key}
    return {name: value for name, value in options.items() if value is not None or name == "payload"}


async def enqueue_again(view: View, queue: str, options: dict[str, Any]) -> int:
    """Enqueue a job with the options of `options_of`."""
    payload = options["payload"]
    rest = {name: value for name, value in options.items() if name != "payload"}
    return await view.db.queue(queue).aenqueue(payload, **rest)


ROUTES: Final = (get("/job/{id:honker_id}", show), post("/job/copy", copy))
