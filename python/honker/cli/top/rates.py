"""The rates of ``honker top``: jobs enqueued, done and failed per second, over the last looks at a file."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple, Protocol

from honker.counters import MinuteCounts

#: Seconds over which rates are computed, if there are looks so old.
WINDOW_S: Final = 10.0

_MINUTE_S: Final = 60

#: The states of jobs that have not ended, as `QueueStats` names them.
_UNFINISHED: Final = ("ready", "delayed", "processing", "blocked", "waiting")


class Moves(NamedTuple):
    """Numbers of jobs, or of jobs per second."""

    enqueued: float = 0
    done: float = 0
    failed: float = 0

    def plus(self, other: Moves) -> Moves:
        """The sums."""
        return Moves(*(one + another for one, another in zip(self, other, strict=True)))

    def since(self, before: Moves, seconds: float) -> Moves:
        """The moves per second after an earlier look."""
        return Moves(*((now - then) / seconds for now, then in zip(self, before, strict=True)))


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Rates per second, and their origin.

    Attributes:
        source: The origin, in words.
        total: The rates of all queues by their names, in the order of display; empty if there is none yet.
        queues: The rates of each queue; empty without counters.
    """

    source: str
    total: Mapping[str, float]
    queues: Mapping[str, Moves]


class Look(Protocol):
    """The facts of one look that rates are computed from."""

    @property
    def at(self) -> float:
        """Unix seconds."""
        ...

    @property
    def totals(self) -> Mapping[str, Moves] | None:
        """The counters of each queue since they were turned on; None without counters."""
        ...

    @property
    def totals_are_cut(self) -> bool:
        """True if the file has counters of more queues and tasks."""
        ...

    @property
    def last_minute(self) -> Mapping[str, Moves]:
        """The counters of each queue in the last full minute."""
        ...

    @property
    def queues(self) -> Any:
        """The counts of jobs of each queue, by state."""
        ...


class Rates:
    """The looks of the last seconds."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()

    @property
    def is_empty(self) -> bool:
        """True before the first look."""
        return not self._looks

    def add(self, look: Look) -> Speed:
        """Compute the rates up to this look from those that went before."""
        while len(self._looks) > 1 and look.at - self._looks[1].at >= WINDOW_S:
            self._looks.popleft()
        before = self._looks[0] if self._looks else None
        self._looks.append(look)
        if before is not None and not _is_comparable(look, before):
            self._looks = deque([look])
            before = None
        if look.totals is None:
            return _by_counts(look, before)
        speed = _by_counters(look, before)
        return replace(speed, source=f"{speed.source}, some queues are left out") if look.totals_are_cut else speed


def _is_comparable(look: Look, before: Look) -> bool:
    """False if the clock was set back, counters were turned on or off, or the file is another one."""
    if look.at <= before.at or (look.totals is None) != (before.totals is None):
        return False
    known = look.totals or {}
    return all(
        now >= then
        for name, moves in (before.totals or {}).items()
        for now, then in zip(known.get(name, Moves()), moves, strict=True)
    )


def _by_counters(look: Look, before: Look | None) -> Speed:
    if before is None:
        queues = {name: moves.since(Moves(), _MINUTE_S) for name, moves in look.last_minute.items()}
        return _counted(queues, "counters, last full minute")
    seconds = look.at - before.at
    then = before.totals or {}
    queues = {name: moves.since(then.get(name, Moves()), seconds) for name, moves in (look.totals or {}).items()}
    return _counted(queues, f"counters, last {max(1, round(seconds))} s")


def _counted(queues: Mapping[str, Moves], source: str) -> Speed:
    total = Moves()
    for moves in queues.values():
        total = total.plus(moves)
    return Speed(source=source, total=total._asdict(), queues=queues)


def _by_counts(look: Look, before: Look | None) -> Speed:
    """Without counters, only the growth of the numbers of jobs is known."""
    if before is None:
        return Speed(source="counters are off; the next frame has the growth of counts", total={}, queues={})
    now, then = _sizes(look), _sizes(before)
    if now is None or then is None:
        return Speed(source="counters are off, and the counts stopped at their bound", total={}, queues={})
    seconds = look.at - before.at
    growth = {name: (now[name] - then[name]) / seconds for name in now}
    return Speed(source="growth of counts; counters are off", total=growth, queues={})


def _sizes(look: Look) -> dict[str, int] | None:
    """The unfinished and the dead jobs of all queues; None if a count is a lower bound."""
    if not all(queue[f"{name}_is_exact"] for queue in look.queues for name in (*_UNFINISHED, "dead")):
        return None
    return {
        "unfinished jobs": sum(queue[name] for queue in look.queues for name in _UNFINISHED),
        "dead": sum(queue["dead"] for queue in look.queues),
    }


def by_queue(counts: list[MinuteCounts]) -> dict[str, Moves]:
    """The sums of the tasks of each queue."""
    found: dict[str, Moves] = {}
    for row in counts:
        found[row.queue] = found.get(row.queue, Moves()).plus(Moves(row.enqueued, row.done, row.failed))
    return found
