"""The page of one queue, and its verbs: pause and resume."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.counters import CounterList
from honker.inspection.queue_names import unknown_queue
from honker.queue.stats import QueueStats
from honker.web.flash import Undo
from honker.web.pages.queues import by_queue
from honker.web.routing import get, post
from honker.web.view import View, read_instant, read_number

_JOBS: Final = 12
_GROUPS: Final = 5
_MINUTES: Final = 60
#: The ends of a pause that the form offers, in seconds; empty means none.
PAUSES: Final = (("", "until resumed"), ("900", "for 15 minutes"), ("3600", "for 1 hour"), ("86400", "for 1 day"))


async def show(view: View) -> Response:
    """Show one queue."""
    name = _name(view.query("name"))
    queue = view.db.queue(name)
    stats = await view.read(queue.stats)
    has_counters = (await view.db.asettings()).counters
    counts = await view.read(view.db.counters, name, _MINUTES) if has_counters else CounterList()
    return view.page(
        "queue.html",
        name=name,
        stats=stats,
        settings=await queue.asettings(),
        has_counters=has_counters,
        moves=by_queue(counts, view.db.engine.clock()).get(name, {}),
        run_s=_mean(counts, "run_s", "runs"),
        wait_s=_mean(counts, "wait_s", "claimed"),
        # By an index; a list of all states would look at the newer jobs of other queues first.
        running=(await view.read(view.db.jobs, queue=name, state="running", limit=_JOBS)).jobs,
        groups=await view.read(view.db.dead_groups, queue=name, limit=_GROUPS) if stats.dead else [],
        pauses=PAUSES,
    )


async def pause(view: View) -> Response:
    """Pause a queue."""
    name, reason, for_s = _name(view.form.get("name")), view.form.get("reason"), view.form.get("for_s")
    until = view.form.get("until")
    end = view.db.engine.clock() + read_number(for_s, "for_s") if for_s else read_instant(until, "until")
    hint = await view.read(unknown_queue, view.db, name)
    await view.db.queue(name).apause(until=end, reason=reason or None)
    note = "" if hint is None else f" It was new: {hint}"
    return view.done(f"Queue {name} is paused.{note}", undo=Undo("/queue/resume", {"name": name}))


async def resume(view: View) -> Response:
    """Resume a queue."""
    name = _name(view.form.get("name"))
    queue = view.db.queue(name)
    before = await view.read(queue.stats)
    await queue.aresume()
    return view.done(f"Queue {name} is running.", undo=_pause_again(before))


def _pause_again(stats: QueueStats) -> Undo | None:
    if stats.paused_at is None:
        return None
    fields = {"name": stats.queue, "reason": stats.pause_reason or ""}
    return Undo("/queue/pause", fields | ({} if stats.paused_until is None else {"until": str(stats.paused_until)}))


def _mean(counts: CounterList, sum_field: str, count_field: str) -> float | None:
    number = sum(each[count_field] for each in counts)
    return sum(each[sum_field] for each in counts) / number if number else None


def _name(text: str | None) -> str:
    if not text:
        raise HTTPException(404, "No queue is named.")
    return text


ROUTES: Final = (get("/queue", show), post("/queue/pause", pause), post("/queue/resume", resume))
