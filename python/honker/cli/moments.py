"""Points in time on the command line."""

from __future__ import annotations

import contextlib
import math
import time
from datetime import datetime
from typing import Final

import click

from honker.engine import Engine

_CLOCK: Final = "SELECT honker_clock()"


class _Clock:
    """The clock of the database that the command has opened.

    Attributes:
        ahead_s: Seconds by which it is ahead of the system's clock; more than a moment for a testing file only.
    """

    ahead_s: float = 0.0


_clock: Final = _Clock()


def follow_clock(engine: Engine) -> None:
    """Let `now` return the time of a database."""
    # Not `Engine.clock`, which knows the testing files of its own process only.
    follow(engine.ask(_CLOCK) - time.time())


def follow(ahead_s: float) -> None:
    """Let `now` return a time that is so many seconds ahead of the system's clock."""
    _clock.ahead_s = ahead_s


def now() -> float:
    """Unix seconds, by the clock of the database that the command has opened last."""
    return time.time() + _clock.ahead_s


def read_moment(ctx: click.Context, param: click.Parameter, text: str | None) -> float | datetime | None:
    """Parse Unix seconds or an ISO 8601 date and time, which is local time without a zone."""
    if text is None:
        return None
    for read in (float, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            moment = read(text)
            if isinstance(moment, float) and not math.isfinite(moment):
                break
            return moment
    raise click.BadParameter(f"{text!r} is neither Unix seconds nor a time such as 2026-12-24T18:00:00+01:00")
