"""The pages of limits: the settings of each queue, and the form that changes them after a confirmation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from honker.database import Database
from honker.errors import InvalidArgumentError
from honker.queue.settings import QueueSettings
from honker.queue.stats import QueueStats
from honker.web.flash import Undo
from honker.web.forms import Form
from honker.web.routing import Entry, get, post
from honker.web.view import View

#: The count of jobs in flight stops there; a limit is at most 1,000.
_COUNT: Final = 1_000
#: Queues in the list.
_QUEUES: Final = 300
_NUMBERS: Final = ("concurrency", "concurrency_per_key", "burst")
_RATES: Final = ("rate", "rate_per_key")
#: The fields of the form, in order.
_FIELDS: Final = (
    *("concurrency", "concurrency_per_key", "ordered", "on_dead"),
    *("rate_count", "rate_s", "rate_per_key_count", "rate_per_key_s", "burst", "keep_finished_s"),
)
_TITLES: Final = {
    "concurrency": "Jobs at once",
    "concurrency_per_key": "Jobs at once per key",
    "ordered": "One job of a key at a time, in order",
    "on_dead": "A dead letter in an ordered queue",
    "rate": "Starts",
    "rate_per_key": "Starts per key",
    "burst": "Starts that may come at once",
    "keep_finished_s": "Finished jobs are kept for",
}


@dataclass(frozen=True)
class LimitRow:
    """A queue in the list.

    Attributes:
        stats: Its counts.
        settings: Its settings.
    """

    stats: QueueStats
    settings: QueueSettings


@dataclass(frozen=True)
class Change:
    """A setting that a form changes.

    Attributes:
        title: Its name.
        before: Its value, in words.
        after: The new one.
    """

    title: str
    before: str
    after: str


async def limits(view: View) -> Response:
    """List the settings of all queues."""
    found = await view.read(view.db.stats, _COUNT)
    rows = await view.read(_rows, view.db, found[:_QUEUES])
    return view.page("limits.html", rows=rows, more=len(found) - len(rows), words=words)


def _rows(db: Database, stats: list[QueueStats]) -> list[LimitRow]:
    return [LimitRow(each, db.queue(each.queue).settings()) for each in stats]


async def form(view: View) -> Response:
    """The form of the settings of one queue."""
    name = view.query("queue")
    if name is None or view.site.is_read_only:
        return view.go(view.link("/limits"))
    settings = await view.db.queue(name).asettings()
    return _form(view, name, _fields(settings))


async def review(view: View) -> Response:
    """Show the changes of a form before they are made."""
    name = view.field("queue")
    settings = await view.db.queue(name).asettings()
    given = {field: view.form.get(field, "") for field in _FIELDS}
    try:
        changes = _changes(settings, view.form)
    except InvalidArgumentError as error:
        return _form(view, name, given, str(error))
    if not changes:
        return _form(view, name, given, "Nothing is changed.")
    shown = [Change(_TITLES[each], words(each, settings[each]), words(each, changes[each])) for each in changes]
    return view.page("limits_review.html", queue=name, changes=shown, fields=given)


async def change(view: View) -> Response:
    """Change the settings of a queue."""
    name = view.field("queue")
    queue = view.db.queue(name)
    before = await queue.asettings()
    given = {field: view.form.get(field, "") for field in _FIELDS}
    try:
        await queue.aconfigure(**_changes(before, view.form))
    except InvalidArgumentError as error:
        return _form(view, name, given, str(error))
    undo = Undo("/limits/set", {"queue": name, **_fields(before)})
    return view.done(f"Changed the limits of {name}.", view.link("/limits"), undo=undo)


def _form(view: View, name: str, fields: dict[str, str], error: str | None = None) -> Response:
    status = 200 if error is None else 400
    return view.page("limits_form.html", status, queue=name, fields=fields, error=error)


def _fields(settings: QueueSettings) -> dict[str, str]:
    """The texts of the form for these settings."""
    fields = {name: _text(settings[name]) for name in (*_NUMBERS, "keep_finished_s")}
    for name in _RATES:
        count, span_s = settings[name] or (None, None)
        fields |= {f"{name}_count": _text(count), f"{name}_s": _text(span_s)}
    fields |= {"ordered": "yes" if settings.ordered else "", "on_dead": settings.on_dead or ""}
    return fields


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"


def _changes(settings: QueueSettings, form: Form) -> dict[str, Any]:
    """The settings that a form changes.

    Raises:
        InvalidArgumentError: A field is no number, or a rate lacks one of its two.
    """
    wanted: dict[str, Any] = {name: _whole(form, name) for name in _NUMBERS}
    wanted["keep_finished_s"] = _number(form, "keep_finished_s")
    wanted["ordered"] = True if form.get("ordered") else None
    wanted["on_dead"] = form.get("on_dead") or None
    for name in _RATES:
        count, span_s = _whole(form, f"{name}_count"), _number(form, f"{name}_s")
        if (count is None) != (span_s is None):
            raise InvalidArgumentError(f"{_TITLES[name]}: give a number and its seconds, or leave both empty.")
        wanted[name] = None if count is None else (count, span_s)
    before = {name: settings[name] for name in wanted} | {"ordered": settings.ordered or None}
    return {name: value for name, value in wanted.items() if value != before[name]}


def _whole(form: Form, field: str) -> int | None:
    value = _number(form, field)
    if value is None:
        return None
    if value != int(value):
        raise InvalidArgumentError(f"{field} is {value:g}; it must be a whole number.")
    return int(value)


def _number(form: Form, field: str) -> float | None:
    text = form.get(field, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < float("inf"):
        raise InvalidArgumentError(f"{field} is {text!r}; it must be a number.")
    return value


def words(name: str, value: Any) -> str:
    """The value of a setting, for people."""
    if name == "ordered":
        return "yes" if value else "no"
    if name == "on_dead":
        return "holds up the jobs of its key" if value in (None, "block") else "does not hold up the others"
    if value is None:
        return {"burst": "1", "keep_finished_s": "not kept"}.get(name, "no limit")
    if name in _RATES:
        return f"{value[0]:,} in {value[1]:g} s"
    return f"{value:g} s" if name == "keep_finished_s" else f"{value:,}"


ENTRY: Final = Entry("/limits", "Limits", "m")
ROUTES: Final = (
    get("/limits", limits),
    get("/limits/change", form),
    post("/limits/review", review),
    post("/limits/set", change),
)
