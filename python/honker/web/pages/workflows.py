"""The pages of workflows: the list, and one workflow as a graph of its jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.inspection.workflows import WorkflowInfo
from honker.task.workflow_record import TOPIC
from honker.web.graph import BOX_HEIGHT, BOX_WIDTH, GraphJob, draw
from honker.web.routing import Entry, get, post
from honker.web.view import View

_PER_PAGE: Final = 25
#: The order of states in a bar of progress.
_WAITING: Final = ("ready", "delayed", "blocked", "waiting")
STATES: Final = ("done", "running", "ready", "delayed", "blocked", "waiting", "cancelled", "dead")


async def workflows(view: View) -> Response:
    """List the workflows, the last one first."""
    page = await view.read(view.db.workflows, after=view.query("after"), limit=_PER_PAGE)
    return view.page("workflows.html", page=page, after=view.query("after"), states=STATES)


async def workflow(view: View) -> Response:
    """Show one workflow."""
    info = await _find(view, view.request.path_params["id"])
    jobs = _with_parents(info, await _parents(view, info))
    return view.page(
        "workflow.html",
        workflow=info,
        jobs=jobs,
        graph=draw(jobs),
        size=(BOX_WIDTH, BOX_HEIGHT),
        has_dead=bool(dead_roots(jobs)),
        is_running=any(info.states.get(state) for state in ("running", *_WAITING)),
        states=STATES,
    )


async def cancel(view: View) -> Response:
    """Cancel the jobs of a workflow that have not ended, once the form is sure."""
    info = await _find(view, view.number("id"))
    if view.form.get("sure") != "yes":
        running = info.states.get("running", 0)
        waiting = sum(info.states.get(state, 0) for state in _WAITING)
        return view.page("workflow_cancel.html", workflow=info, running=running, waiting=waiting)
    result = await view.db.aworkflow_result(info.id)
    if result is None:
        raise HTTPException(404, f"There is no record of workflow {info.id}.")
    await result.acancel()
    return view.done(f"Cancelled workflow {info.name or info.id}; running jobs were asked to end.")


async def requeue(view: View) -> Response:
    """Requeue the dead jobs of a workflow, and with them the jobs that their death has ended."""
    info = await _find(view, view.number("id"))
    jobs = _with_parents(info, await _parents(view, info))
    ids = dead_roots(jobs)
    applied = await view.db.aapply("requeue", ids=ids)
    reasons = "".join(f" {count} were refused: {reason}." for reason, count in applied.reasons.items())
    return view.done(f"Requeued {applied.done} of {len(ids)} dead jobs.{reasons}", is_error=applied.done < len(ids))


def dead_roots(jobs: Sequence[GraphJob]) -> list[int]:
    """The ids of the dead jobs without a dead parent. The others come back with their parents."""
    dead = [job for job in jobs if job.state == "dead"]
    return [job.job_id for job in dead if not any(jobs[parent].state == "dead" for parent in job.parents)]


async def _find(view: View, workflow_id: int) -> WorkflowInfo:
    """The workflow of an id.

    Raises:
        HTTPException: There is none.
    """
    page = await view.read(view.db.workflows, after=str(workflow_id + 1), limit=1)
    if not page.workflows or page.workflows[0].id != workflow_id:
        raise HTTPException(404, f"There is no workflow {workflow_id}, or its record has been pruned.")
    return page.workflows[0]


async def _parents(view: View, info: WorkflowInfo) -> list[Sequence[int]]:
    """The positions of the parents of each shown job: of its record, or as far as the engine still knows them."""
    events = await view.db.stream(TOPIC).aread_since(info.id - 1, 1)
    position = {job.job_id: number for number, job in enumerate(info.jobs)}
    recorded = _recorded(events[0].payload) if events and events[0].offset == info.id else None
    if recorded is not None:
        ids = [[position.get(each) for each in recorded.get(job.job_id, [])] for job in info.jobs]
        return [[each for each in before if each is not None and each < own] for own, before in enumerate(ids)]
    details = await view.read(lambda: [view.db.job(job.job_id) for job in info.jobs])
    return [
        [position[each.job_id] for each in detail.parents if position.get(each.job_id, own) < own] if detail else []
        for own, detail in enumerate(details)
    ]


def _recorded(payload: Any) -> dict[int, list[int]] | None:
    """The ids of the parents of each job, of a record; None if an older version wrote it, or another program."""
    try:
        ids = [int(each) for each in payload["jobs"].values()]
        return {own: [ids[each] for each in before] for own, before in zip(ids, payload["parents"], strict=True)}
    except (TypeError, KeyError, ValueError, IndexError, AttributeError):
        return None


def _with_parents(info: WorkflowInfo, parents: Sequence[Sequence[int]]) -> list[GraphJob]:
    return [GraphJob(job.name, job.job_id, job.state, before) for job, before in zip(info.jobs, parents, strict=True)]


ENTRY: Final = Entry("/workflows", "Workflows", "f", also=("/workflow",))
ROUTES: Final = (
    get("/workflows", workflows),
    get("/workflow/{id:honker_id}", workflow),
    post("/workflow/cancel", cancel),
    post("/workflow/requeue", requeue),
)
