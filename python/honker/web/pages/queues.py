"""The first page: every queue with its jobs by state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from honker.counters import MinuteCounts
from honker.queue.settings import QueueSettings
from honker.queue.stats import QueueStats
from honker.web.routing import Entry, get
from honker.web.view import View

#: The bound of each count in a file with few queues, and with many: SQLite visits each row that it counts.
_HIGH_BOUND: Final = 10_000
_LOW_BOUND: Final = 1_000
_FEW_QUEUES: Final = 5
#: Queues whose settings are read: the page has to come at once with thousands of them.
_MOST_SETTINGS: Final = 100
#: Minutes of the small plots.
_MINUTES: Final = 60


@dataclass(frozen=True)
class QueueLine:
    """A queue on the page.

    Attributes:
        stats: Its jobs by state.
        settings: Its settings; None if there are too many queues to read them.
        moves: Jobs enqueued, done and failed for each of the last minutes; empty without counters.
    """

    stats: QueueStats
    settings: QueueSettings | None
    moves: dict[str, list[int]]


async def show(view: View) -> Response:
    """Show the queues."""
    stats = await count(view)
    lines = [QueueLine(each, None, {}) for each in stats]
    settings = await view.db.asettings()
    moves = (
        by_queue(await view.read(view.db.counters, minutes=_MINUTES), view.db.engine.clock())
        if settings.counters
        else {}
    )
    lines = [
        QueueLine(
            each,
            await view.db.queue(each.queue).asettings() if len(stats) <= _MOST_SETTINGS else None,
            moves.get(each.queue, {}),
        )
        for each in stats
    ]
    return view.page("queues.html", lines=lines, has_counters=settings.counters)


async def count(view: View) -> list[QueueStats]:
    """Count the jobs of each queue, to a bound with which the page comes at once."""
    found = await view.read(view.db.stats, _LOW_BOUND)
    return await view.read(view.db.stats, _HIGH_BOUND) if len(found) <= _FEW_QUEUES else found


def by_queue(rows: list[MinuteCounts], now: float, minutes: int = _MINUTES) -> dict[str, dict[str, list[int]]]:
    """The jobs enqueued, done and failed by queue, a number for each minute, the oldest first."""
    first = int(now // 60) - minutes + 1
    found: dict[str, dict[str, list[int]]] = {}
    for row in rows:
        place = row.minute // 60 - first
        if 0 <= place < minutes:
            kept = found.setdefault(row.queue, {name: [0] * minutes for name in ("enqueued", "done", "failed")})
            for name, values in kept.items():
                values[place] += row[name]
    return found


ENTRY: Final = Entry("/", "Queues", "q", also=("/queue",))
ROUTES: Final = (get("/", show),)
