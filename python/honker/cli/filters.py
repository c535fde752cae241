"""The filters of jobs, the same for lists and for verbs."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, get_args

import click

from honker.cli.moments import now, read_moment
from honker.database import Database
from honker.inspection import JobState

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
#: The engine keeps no longer spans: a hundred years.
_LONGEST_SPAN_S: Final = 100 * 365.25 * 86_400

#: Jobs read by one call.
PAGE: Final = 500


def read_since(ctx: click.Context, param: click.Parameter, text: str | None) -> float | datetime | timedelta | None:
    """Parse a span before now such as ``3h``, or a moment; `since_of` makes a moment of the span."""
    match = _SPAN.fullmatch(text or "")
    if match:
        span_s = float(match[1]) * _UNITS_S[match[2]]
        if span_s > _LONGEST_SPAN_S:
            raise click.BadParameter(f"{text!r} is longer than 100 years; leave the option out to find all")
        return timedelta(seconds=span_s)
    try:
        moment = read_moment(ctx, param, text)
    except click.BadParameter as error:
        raise click.BadParameter(f"{error.message}, nor a span such as 90s, 15m, 3h, 7d or 2w") from error
    if isinstance(moment, float) and moment < 0:
        raise click.BadParameter(f"{text!r} is before 1970; write a span before now as 90s, 15m, 3h, 7d or 2w")
    return moment


def since_of(value: float | datetime | timedelta | None) -> float | datetime | None:
    """The moment of an option that `read_since` has parsed, by the clock of the database that is open."""
    return now() - value.total_seconds() if isinstance(value, timedelta) else value


def _read_args(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any] | str | None:
    """Parse the paths and values of arguments, or one text."""
    found: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals:
            if len(texts) > 1:
                raise click.BadParameter(f"{text!r} is a text; give one text, or only paths as in user.id=5")
            return text
        found[path] = value
        with contextlib.suppress(ValueError):
            found[path] = json.loads(value)
    return found or None


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that select jobs."""
    for option in (
        click.option(
            "--args",
            multiple=True,
            callback=_read_args,
            metavar="PATH=VALUE",
            help="Only calls with this argument, as in user.id=5 or 0=alice; or a text that the payload contains.",
        ),
        click.option(
            "--since",
            callback=read_since,
            metavar="MOMENT",
            help="Only jobs enqueued since: 15m, 3h, 7d, Unix seconds, or 2026-12-24T18:00:00+01:00.",
        ),
        click.option("--error", metavar="TEXT", help="Only jobs whose last error contains this text."),
        click.option("--workflow", metavar="ID", type=int, help="Only jobs of this workflow."),
        click.option("--key", metavar="KEY", help="Only jobs of this key."),
        click.option("--task", metavar="NAME", help="Only calls of this task."),
        click.option("--state", type=click.Choice(get_args(JobState)), help="Only jobs in this state."),
        click.option("--queue", metavar="NAME", help="Only jobs of this queue."),
    ):
        command = option(command)
    return command


def is_given(filters: dict[str, Any]) -> bool:
    """True if any filter has a value."""
    return any(value is not None for value in filters.values())


def count_matching(db: Database, filters: dict[str, Any], states: tuple[str, ...], most: int) -> tuple[int, bool]:
    """Count the jobs of a filter in some states, up to a bound.

    Returns:
        The count, and True if it is exact.
    """
    found = 0
    for state in states:
        conditions: dict[str, Any] = {**filters, "state": state}
        after = None
        while True:
            page = db.jobs(**conditions, after=after, limit=PAGE)
            found += len(page.jobs)
            after = page.next
            if found >= most:
                return most, False
            if after is None:
                break
    return found, True
