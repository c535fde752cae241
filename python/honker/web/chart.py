"""Line charts of values by minute, as SVG paths. The axes are text beside the drawing, so that they stay readable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

#: The size of a drawing in its own units; the page stretches it.
WIDTH: Final = 600
HEIGHT: Final = 160
_STEPS: Final = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: Its name in the legend; also the end of its CSS class.
        values: A value for each minute.
        is_area: True to fill the area below it.
    """

    name: str
    values: Sequence[float]
    is_area: bool = False


@dataclass(frozen=True)
class Line:
    """A line as drawn.

    Attributes:
        name: The name of the series.
        path: The SVG path of the line.
        area: The SVG path of the area below it; None without one.
    """

    name: str
    path: str
    area: str | None


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        top: The value at its upper edge.
        lines: The lines, the first one behind the others.
    """

    top: float
    lines: Sequence[Line]


def draw(series: Sequence[Series]) -> Chart:
    """Draw series of equal length on one axis from 0 to a round number."""
    top = _round_up(max((value for each in series for value in each.values), default=0))
    return Chart(top, [_line(each, top) for each in series])


def _round_up(largest: float) -> float:
    """The next round number with one digit, also below 1; 1 if there is nothing to show."""
    if largest <= 0:
        return 1
    power = 1.0
    while power > largest:
        power /= 10
    while power * 10 < largest:
        power *= 10
    return next(power * step for step in _STEPS if power * step >= largest)


def _line(series: Series, top: float) -> Line:
    step = WIDTH / max(len(series.values) - 1, 1)
    points = [f"{number * step:.1f} {HEIGHT * (1 - value / top):.1f}" for number, value in enumerate(series.values)]
    path = "M" + " L".join(points) if points else ""
    area = f"{path} L{WIDTH} {HEIGHT} L0 {HEIGHT} Z" if series.is_area and points else None
    return Line(series.name, path, area)
