"""The page of throughput and latency: the counts of the last minutes as plots, and by task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.counters import MinuteCounts
from honker.web.chart import Chart, Series, draw
from honker.web.routing import Entry, get, post
from honker.web.view import View, read_number

#: The lengths of time to choose from, in minutes, with the minutes between two points of a plot.
WINDOWS: Final = {15: 1, 60: 1, 240: 5}
_DEFAULT: Final = 60
_MINUTE_S: Final = 60
#: Queues to choose from.
_QUEUES: Final = 300


@dataclass
class Sums:
    """The moves of some jobs, added up.

    Attributes:
        enqueued: Jobs that were added.
        claimed: Claims.
        done: Jobs that succeeded.
        failed: Attempts that failed.
        dead: Jobs that became dead letters.
        runs: Attempts whose running time is known.
        run_s: The seconds that they ran, together.
        run_max_s: The longest of them.
        wait_s: The seconds for which the claimed jobs waited, together.
        wait_max_s: The longest of them.
    """

    enqueued: int = 0
    claimed: int = 0
    done: int = 0
    failed: int = 0
    dead: int = 0
    runs: int = 0
    run_s: float = 0.0
    run_max_s: float = 0.0
    wait_s: float = 0.0
    wait_max_s: float = 0.0

    def add(self, row: MinuteCounts | Sums) -> None:
        """Add the counts of a minute, or other sums."""
        self.enqueued += row.enqueued
        self.claimed += row.claimed
        self.done += row.done
        self.failed += row.failed
        self.dead += row.dead
        self.runs += row.runs
        self.run_s += row.run_s
        self.wait_s += row.wait_s
        self.run_max_s = max(self.run_max_s, row.run_max_s)
        self.wait_max_s = max(self.wait_max_s, row.wait_max_s)

    @property
    def run_mean_s(self) -> float:
        """The mean seconds of an attempt; 0 if there was none."""
        return self.run_s / self.runs if self.runs else 0.0

    @property
    def wait_mean_s(self) -> float:
        """The mean seconds from due to claimed; 0 if there was no claim."""
        return self.wait_s / self.claimed if self.claimed else 0.0


async def show(view: View) -> Response:
    """Show the plots of all queues, or of one."""
    queue = view.query("queue")
    window = view.query("minutes")
    minutes = _DEFAULT if window is None else read_number(window, "minutes")
    if minutes not in WINDOWS:
        raise HTTPException(400, f"minutes is {minutes}; it must be one of {', '.join(map(str, WINDOWS))}.")
    settings = await view.db.asettings()
    rows = await view.read(view.db.counters, queue, minutes)
    names = [each.queue for each in (await view.read(view.db.stats, 1))[:_QUEUES]]
    step = WINDOWS[minutes]
    first = (int(view.db.engine.clock() // _MINUTE_S) // step + 1) * step - minutes
    by_step = sums_by_step(rows, first, minutes // step, step)
    tasks = sums_by_task(rows)
    return view.page(
        "throughput.html",
        has_counters=settings.counters,
        minutes=minutes,
        windows=WINDOWS,
        queue=queue,
        queues=sorted({*names, *(row.queue for row in rows), *([queue] if queue else [])}),
        is_complete=rows.is_complete,
        total=added(sums for _, _, sums in tasks),
        unit="minute" if step == 1 else f"{step} minutes",
        by_step=[((first + number * step) * _MINUTE_S, each) for number, each in enumerate(by_step)],
        # Without the present step, which is not over: each line would end in a fall.
        jobs=_jobs_chart(by_step[:-1]),
        times=_times_chart(by_step[:-1]),
        tasks=tasks,
    )


async def count(view: View) -> Response:
    """Turn the counters of the file on or off."""
    is_on = view.field("counters") == "on"
    await view.db.aconfigure(counters=is_on)
    return view.done("Moves of jobs are counted from now on." if is_on else "Moves of jobs are not counted any more.")


def added(several: Iterable[Sums]) -> Sums:
    """The sum of several sums."""
    total = Sums()
    for each in several:
        total.add(each)
    return total


def sums_by_step(rows: Iterable[MinuteCounts], first: int, count: int, step: int) -> list[Sums]:
    """The sums of each step of time, the oldest first, over all queues and tasks.

    Args:
        rows: The counts.
        first: The first minute, in minutes since 1970.
        count: The number of steps.
        step: The minutes of a step.
    """
    sums = [Sums() for _ in range(count)]
    for row in rows:
        place = (row.minute // _MINUTE_S - first) // step
        if 0 <= place < count:
            sums[place].add(row)
    return sums


def sums_by_task(rows: Iterable[MinuteCounts]) -> list[tuple[str, str, Sums]]:
    """The sums of each task with its queue, those with the most running time first."""
    found: dict[tuple[str, str], Sums] = {}
    for row in rows:
        found.setdefault((row.queue, row.task), Sums()).add(row)
    return sorted(((*names, sums) for names, sums in found.items()), key=lambda each: -each[2].run_s)


def _jobs_chart(sums: Sequence[Sums]) -> Chart:
    return draw(
        [
            Series("enqueued", [each.enqueued for each in sums], is_area=True),
            Series("done", [each.done for each in sums]),
            Series("failed", [each.failed for each in sums]),
        ]
    )


def _times_chart(sums: Sequence[Sums]) -> Chart:
    return draw(
        [
            Series("wait", [each.wait_mean_s for each in sums], is_area=True),
            Series("run", [each.run_mean_s for each in sums]),
        ]
    )


ENTRY: Final = Entry("/throughput", "Throughput", "t")
ROUTES: Final = (get("/throughput", show), post("/throughput/count", count))
