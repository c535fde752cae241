"""Points in time on the command line."""

from __future__ import annotations

import contextlib
from datetime import datetime

import click


def read_moment(ctx: click.Context, param: click.Parameter, text: str | None) -> float | datetime | None:
    """Parse Unix seconds or an ISO 8601 date and time, which is local time without a zone."""
    if text is None:
        return None
    for read in (float, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            return read(text)
    raise click.BadParameter(f"{text!r} is neither Unix seconds nor a time such as 2026-12-24T18:00:00+01:00")
