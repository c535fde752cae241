"""Verbs for jobs: the selected ones, or all that match a filter; with a confirmation, and undo where possible."""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.errors import HonkerError
from honker.inspection import JobSummary
from honker.web import restorable
from honker.web.flash import Undo
from honker.web.job_filter import FilterError, JobFilter
from honker.web.operations import Operation
from honker.web.pages.job import enqueue_again, options_of
from honker.web.routing import get, post
from honker.web.verbs import BY_NAME, JobVerb
from honker.web.view import View, read_number

#: The confirmation counts so many jobs, in pages of the engine's bound.
_COUNTED: Final = 1_000
_PAGES: Final = 4
_EXAMPLES: Final = 5
#: Cancelled jobs that can be restored.
_RESTORABLE: Final = 100


async def act(view: View) -> Response:
    """Apply a verb, after a confirmation unless it only helps a few selected jobs."""
    verb = BY_NAME.get(view.field("verb"))
    if verb is None:
        raise HTTPException(400, f"There is no verb {view.field('verb')!r}.")
    is_all = view.form.get("scope") == "all"
    wanted = JobFilter.of(view.form.multi_items())
    ids = [read_number(text, "ids") for text in view.form.getlist("ids")]
    if not is_all and not ids:
        return view.done("No jobs are selected.", is_error=True)
    try:
        conditions = _for_verb(wanted, verb) if is_all else {"ids": ids}
    except FilterError as error:
        return view.done(f"Nothing was changed: {error}.", is_error=True)
    if (is_all or verb.is_dangerous) and "confirmed" not in view.form:
        return await _ask(view, verb, wanted, conditions, ids, is_all=is_all)
    if verb.verb == "cancel" and not is_all and len(ids) <= _RESTORABLE:
        return await _cancel(view, ids)
    return await _apply(view, verb, wanted, conditions, is_all=is_all)


def _for_verb(wanted: JobFilter, verb: JobVerb) -> dict[str, Any]:
    """The conditions of a filter.

    Raises:
        FilterError: The filter, or its state for this verb, has no meaning.
    """
    conditions = wanted.conditions()
    if wanted.state is not None and wanted.state not in verb.states:
        raise FilterError(f"{wanted.state} jobs cannot be {verb.past}")
    return conditions


async def _ask(
    view: View, verb: JobVerb, wanted: JobFilter, conditions: dict[str, Any], ids: list[int], *, is_all: bool
) -> Response:
    """Show the jobs that a verb would change, and ask."""
    found, is_exact, examples = await _look(view, verb, conditions)
    return view.page(
        "confirm.html",
        verb=verb,
        filter=wanted,
        found=found,
        is_exact=is_exact,
        examples=examples,
        ids=ids,
        is_all=is_all,
        back=view.form.get("back", view.link("/jobs")),
    )


async def _look(view: View, verb: JobVerb, conditions: dict[str, Any]) -> tuple[int, bool, list[JobSummary]]:
    """The number of jobs that a verb applies to, True if it is exact, and some of the jobs."""
    found: list[JobSummary] = []
    is_exact = True
    ids: list[int] = conditions.get("ids", [])
    chunks: list[dict[str, Any]] = [{**conditions, "ids": ids[at : at + 500]} for at in range(0, len(ids), 500)]
    for each in chunks or [conditions]:
        states = (each["state"],) if "state" in each else verb.states
        for state in states:
            after = None
            for _ in range(_PAGES):
                of_state: dict[str, Any] = {**each, "state": state}
                page = await view.read(view.db.jobs, **of_state, after=after, limit=500)
                found += page.jobs
                after = page.next
                if after is None or len(found) >= _COUNTED:
                    break
            is_exact = is_exact and after is None
    return len(found), is_exact, found[:_EXAMPLES]


async def _apply(view: View, verb: JobVerb, wanted: JobFilter, conditions: dict[str, Any], *, is_all: bool) -> Response:
    what = wanted.text or "every queue" if is_all else "the selected jobs"
    operation = Operation(f"{verb.title}: {what}", verb.past, None)
    name = view.site.operations.add(operation)
    await operation.begin(view.db, verb.verb, conditions)
    if not operation.is_over:
        return view.go(view.link(f"/operation/{name}", back=view.form.get("back")))
    is_error = operation.applied is None or operation.applied.done == 0
    return view.done(operation.result, is_error=is_error)


async def _cancel(view: View, ids: list[int]) -> Response:
    """Cancel a few jobs one by one, and remember those that can be restored."""
    counts = {"cancelled": 0, "requested": 0, "gone": 0}
    found: list[tuple[str, dict[str, Any]]] = []
    for job_id in ids:
        job = await view.db.ajob(job_id)
        outcome = await view.db.arequest_cancel(job_id)
        counts[outcome] += 1
        # The children of a cancelled parent were settled with it, and would not come back.
        if outcome == "cancelled" and job is not None and not job.parents and not job.children:
            found.append((job.queue, options_of(job, keeps_time=True)))
    texts = {
        "cancelled": "{} cancelled",
        "requested": "{} asked to end",
        "gone": "{} no longer there",
    }
    text = ", ".join(texts[name].format(number) for name, number in counts.items() if number)
    can_undo = bool(found) and len(found) == counts["cancelled"]
    name = await restorable.keep(view.db, found) if can_undo else None
    undo = None if name is None else Undo("/jobs/restore", {"name": name})
    return view.done(f"Jobs: {text}.", is_error=counts["gone"] == len(ids), undo=undo)


async def restore(view: View) -> Response:
    """Enqueue cancelled jobs again."""
    kept = await restorable.take(view.db, view.field("name"))
    if kept is None:
        return view.done("These jobs can no longer be restored.", is_error=True)
    restored = 0
    for queue, options in kept:
        try:
            await enqueue_again(view, queue, options)
        except HonkerError as error:
            return view.done(f"{restored} of {len(kept)} jobs restored; then: {error}.", is_error=True)
        restored += 1
    return view.done(f"{restored} {'job' if restored == 1 else 'jobs'} enqueued again, with new ids.")


async def show_operation(view: View) -> Response:
    """Show the progress of an operation."""
    name: str = view.request.path_params["name"]
    operation = view.site.operations.get(name)
    if operation is None:
        raise HTTPException(404, "This operation is not known here: it ended long ago, or runs in another process.")
    return view.page("operation.html", operation=operation, name=name, back=view.query("back"))


async def stop_operation(view: View) -> Response:
    """End an operation after its present batch."""
    operation = view.site.operations.get(view.field("name"))
    if operation is not None:
        operation.is_stopping = True
    return view.done("The operation ends after its present batch.")


ROUTES: Final = (
    post("/jobs/act", act),
    post("/jobs/restore", restore),
    get("/operation/{name}", show_operation),
    post("/operation/stop", stop_operation),
)
