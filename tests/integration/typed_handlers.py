"""Handlers with typed parameters for tests of process executors, which import this module by this name."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta


@dataclasses.dataclass
class Stay:
    start: date
    length: timedelta


def end_of(stay: Stay) -> date:
    return stay.start + stay.length


def wrong(stay: Stay) -> date:
    return "no date"  # type: ignore[return-value] - on purpose
