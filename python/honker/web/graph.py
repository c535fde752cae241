"""The drawing of a workflow: jobs in columns, each to the right of the jobs that it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

#: The size of a box and the distances between boxes, in units of the drawing.
BOX_WIDTH: Final = 176
BOX_HEIGHT: Final = 44
_GAP_X: Final = 52
_GAP_Y: Final = 14
_MARGIN: Final = 4

#: Jobs with the same parents, children and state are one box if there are more of them.
_FOLD_ABOVE: Final = 6
#: Sweeps that order the boxes of a column by the places of their neighbours.
_SWEEPS: Final = 4


class GraphJob(NamedTuple):
    """A job to draw.

    Attributes:
        name: Its name in the workflow.
        job_id: Its id.
        state: Its state.
        parents: The positions of its parents, which come before it.
    """

    name: str
    job_id: int
    state: str
    parents: Sequence[int]


@dataclass(frozen=True)
class Box:
    """One or several jobs in the drawing.

    Attributes:
        x: The left edge.
        y: The upper edge.
        jobs: The jobs.
    """

    x: float
    y: float
    jobs: Sequence[GraphJob]

    @property
    def title(self) -> str:
        """The name of the job, or of the first one."""
        return self.jobs[0].name

    @property
    def state(self) -> str:
        """The state of all of the jobs."""
        return self.jobs[0].state


@dataclass(frozen=True)
class Graph:
    """A drawing.

    Attributes:
        width: Its width.
        height: Its height.
        boxes: The boxes, by column.
        lines: The SVG paths between them.
    """

    width: float
    height: float
    boxes: Sequence[Box]
    lines: Sequence[str]


def draw(jobs: Sequence[GraphJob]) -> Graph:
    """Lay a workflow out, each job after its parents.

    Cost: O(jobs * parents) for each of a few sweeps.
    """
    groups, parents = _folded(jobs)
    levels = _levels(parents)
    shown = _direct(parents)
    columns = _ordered(levels, shown)
    tallest = max((len(column) for column in columns), default=0)
    places = {
        node: (_MARGIN + number * (BOX_WIDTH + _GAP_X), _top(len(column), tallest) + place * (BOX_HEIGHT + _GAP_Y))
        for number, column in enumerate(columns)
        for place, node in enumerate(column)
    }
    return Graph(
        width=2 * _MARGIN + len(columns) * (BOX_WIDTH + _GAP_X) - _GAP_X if columns else 0,
        height=2 * _MARGIN + tallest * (BOX_HEIGHT + _GAP_Y) - _GAP_Y if columns else 0,
        boxes=[Box(*places[node], [jobs[each] for each in groups[node]]) for node in places],
        lines=[_line(places[parent], places[node]) for node in places for parent in shown[node]],
    )


def _top(count: int, tallest: int) -> float:
    return _MARGIN + (tallest - count) * (BOX_HEIGHT + _GAP_Y) / 2


def _folded(jobs: Sequence[GraphJob]) -> tuple[list[list[int]], list[list[int]]]:
    """The jobs of each box, and the boxes before it."""
    children: list[list[int]] = [[] for _ in jobs]
    for number, job in enumerate(jobs):
        for parent in job.parents:
            children[parent].append(number)
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, job in enumerate(jobs):
        alike.setdefault((tuple(job.parents), tuple(children[number]), job.state), []).append(number)
    groups = [
        group
        for numbers in alike.values()
        for group in ([numbers] if len(numbers) > _FOLD_ABOVE else [[each] for each in numbers])
    ]
    groups.sort(key=lambda group: group[0])
    node_of = {number: node for node, group in enumerate(groups) for number in group}
    parents = [list(dict.fromkeys(node_of[parent] for parent in jobs[group[0]].parents)) for group in groups]
    return groups, parents


def _levels(parents: Sequence[Sequence[int]]) -> list[int]:
    """The column of each box: after its parents, and as near to its first child as that allows."""
    levels: list[int] = []
    for before in parents:
        levels.append(1 + max((levels[parent] for parent in before), default=-1))
    latest: dict[int, int] = {}
    for node in reversed(range(len(parents))):
        levels[node] = latest.get(node, levels[node])
        for parent in parents[node]:
            latest[parent] = min(latest.get(parent, levels[node] - 1), levels[node] - 1)
    return levels


def _direct(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """The parents that no other parent waits for: the drawing needs no line for the others."""
    ancestors: list[int] = []  # a bit for each box
    direct: list[list[int]] = []
    for before in parents:
        further = 0
        for parent in before:
            further |= ancestors[parent]
        direct.append([parent for parent in before if not further >> parent & 1])
        for parent in before:
            further |= 1 << parent
        ancestors.append(further)
    return direct


def _ordered(levels: Sequence[int], parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """The boxes of each column, near their neighbours."""
    columns: list[list[int]] = [[] for _ in range(max(levels, default=-1) + 1)]
    for node, level in enumerate(levels):
        columns[level].append(node)
    children: list[list[int]] = [[] for _ in parents]
    for node, before in enumerate(parents):
        for parent in before:
            children[parent].append(node)
    for sweep in range(_SWEEPS):
        place = {node: number / len(column) for column in columns for number, node in enumerate(column)}
        neighbours = children if sweep % 2 else parents
        for column in columns if neighbours is parents else reversed(columns):
            middle = {
                node: sum(place[each] for each in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else place[node]
                for node in column
            }
            column.sort(key=lambda node, middle=middle: middle[node])
            place.update({node: number / len(column) for number, node in enumerate(column)})
    return columns


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    """The path from the right edge of a box to the left edge of another."""
    x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT / 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT / 2
    bend = _GAP_X / 2
    return f"M{x1:g} {y1:g} C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
