"""Values as text: the filters of the templates."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from markupsafe import Markup

from honker.task.message import read_envelope

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
#: The largest instant that is shown as a date: the end of the year 9999.
_MAX_INSTANT: Final = 253_402_300_799
#: The beginning of a call's payload, up to its arguments.
_CALL: Final = re.compile(r'^\{"__honker_task__": \{"task": "[^"]*", "args": ')


def number(value: float, is_exact: bool = True) -> str:
    """A number with separators of thousands, and a plus sign if it is a lower bound."""
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.10g}"
    return text if is_exact else f"{text}+"


def span(seconds: float | None) -> str:
    """A length of time with its two largest units, such as ``3 h 5 min``."""
    if seconds is None:
        return "–"  # noqa: RUF001 - an empty cell
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004
    units = ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s"))
    large, name, small, small_name = next(unit for unit in units if seconds >= unit[0])
    rest = int(seconds % large // small)
    return f"{int(seconds // large)} {name}" + (f" {rest} {small_name}" if rest else "")


def when(instant: float | None) -> Markup | str:
    """An instant as its distance from now, which the script keeps up to date, with the date as a title."""
    if instant is None:
        return "–"  # noqa: RUF001 - an empty cell
    if not 0 <= instant <= _MAX_INSTANT:
        return number(instant)
    moment = datetime.fromtimestamp(instant, UTC)
    distance = instant - time.time()
    text = "now" if abs(distance) < 1 else f"in {_short(distance)}" if distance > 0 else f"{_short(-distance)} ago"
    return Markup('<time datetime="{}" data-at="{}" title="{}">{}</time>').format(
        moment.isoformat(timespec="milliseconds"), instant, f"{moment:%Y-%m-%d %H:%M:%S} UTC", text
    )


def date(instant: float) -> str:
    """An instant as a date of UTC."""
    if not 0 <= instant <= _MAX_INSTANT:
        return number(instant)
    return f"{datetime.fromtimestamp(instant, UTC):%a %Y-%m-%d %H:%M:%S} UTC"


def _short(seconds: float) -> str:
    """A length of time in one unit, as the script writes it too."""
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} s"


def pretty(text: str | None) -> str:
    """JSON text with line breaks and indentation; another text as it is."""
    try:
        return json.dumps(json.loads(text or ""), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text or ""


def arguments(payload: str) -> str:
    """The arguments of a call as in Python; another payload, and one that a list has shortened, as it is."""
    try:
        call = read_envelope(json.loads(payload))
    except (ValueError, RecursionError):
        return _CALL.sub("", payload)
    if call is None:
        return payload
    if call.codec is not None:
        return f"(written by the codec {call.codec!r})"
    named = [f"{name}={_json(value)}" for name, value in call.kwargs.items()]
    return ", ".join([*map(_json, call.args), *named])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def count(row: Any, field: str) -> str:
    """A count of a record, with a plus sign if the record says that it is a lower bound."""
    return number(getattr(row, field), getattr(row, f"{field}_is_exact"))


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "number": number,
    "span": span,
    "when": when,
    "date": date,
    "pretty": pretty,
    "arguments": arguments,
    "count": count,
}
