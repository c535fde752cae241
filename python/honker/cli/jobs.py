"""``honker jobs``, ``job`` and ``dead``: look at jobs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import click

from honker import clock
from honker.cli.database_file import database_argument, open_existing
from honker.cli.filters import PAGE, filter_options, read_since, since_of
from honker.cli.moments import now
from honker.cli.output import Output, faint, json_option, notice, visible
from honker.cli.table import (
    Column,
    Listing,
    Row,
    age_column,
    count,
    limit_option,
    list_options,
    moment,
    name_column,
    number_column,
    text,
    text_column,
)
from honker.database import Database
from honker.inspection import JobDetail, JobSummary
from honker.task.message import read_envelope

_EXIT_CODES: Final = "Exit codes: 0 done, 1 database error, 2 usage error."

#: Seconds between two lines of progress.
_PROGRESS_S: Final = 1.0

_STATE_COLOURS: Final = {"running": "green", "dead": "red", "blocked": "yellow", "waiting": "yellow", "done": "blue"}


def _state(value: str) -> str:
    return click.style(value, fg=_STATE_COLOURS.get(value.strip()))


def _about(row: Row) -> str:
    """The most telling fact: the error, the progress, or the payload."""
    progress = row["progress"]
    if progress is not None:
        note = f" {progress['note']}" if progress["note"] else ""
        return visible(f"{progress['done']:g} of {progress['total']:g}{note}")
    return text(row["error"] or arguments(row["payload"]))


def arguments(payload: str) -> str:
    """The arguments of a call as in Python; another payload, and one that a list has shortened, as it is."""
    try:
        call = read_envelope(json.loads(payload))
    except ValueError:
        return payload
    if call is None:
        return payload
    if call.codec is not None:
        return f"(written by the codec {call.codec!r})"
    named = [f"{name}={_short(value)}" for name, value in call.kwargs.items()]
    return ", ".join([*map(_short, call.args), *named]) or "-"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_COLUMNS: Final = (
    Column("id", lambda row: str(row["id"]), is_right=True),
    name_column("queue", "queue"),
    Column("state", lambda row: text(row["state"]), style=_state),
    Column("task", lambda row: text(row["task"]), is_flexible=True),
    text_column("key", "key", is_flexible=True),
    Column("attempt", lambda row: f"{row['attempts']}/{row['max_attempts']}", is_right=True),
    age_column("enqueued", "created_at"),
    Column("about", _about, is_flexible=True),
)


_after_option = click.option("--after", metavar="CURSOR", help="Go on after the last job of another list.")

#: Filters whose searches are short at any size of the file, so that none of them is cut.
_INDEXED: Final = frozenset({"queue", "state"})


@click.command(
    short_help="List jobs, the newest first.",
    epilog=f"""\b
Examples:
  honker jobs shop.db
  honker jobs shop.db --queue emails --state delayed -n 200
  honker jobs shop.db --task shop.tasks.send_email --args to=alice --since 3h
  honker jobs shop.db --state dead --error TimeoutError --json | jq .id
  honker jobs shop.db --task shop.tasks.refund --all

{_EXIT_CODES}""",
)
@database_argument
@filter_options
@limit_option
@_after_option
@click.option(
    "--all",
    "is_all",
    is_flag=True,
    help="Search all jobs for -n matches. Without it, a search that has no index looks for 50 ms, at the newest jobs.",
)
@list_options
def jobs(  # noqa: PLR0917 - click passes them by name
    path: str, limit: int, after: str | None, is_all: bool, is_json: bool, is_csv: bool, **filters: Any
) -> None:
    """List the jobs of the database DB: waiting, running, dead, and finished ones if their queue keeps them.

    A list is answered within 50 ms. If a search by task, error or arguments has not seen all jobs by then, a line on
    standard error gives the place to go on with --after.
    """
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        is_long = any(value for name, value in filters.items() if name not in _INDEXED)
        walk = _Walk(db, {**filters, "since": since_of(filters["since"])}, after, is_all=is_all or not is_long)
        _print_jobs(walk, limit, listing)


def _print_jobs(walk: _Walk, limit: int, listing: Listing) -> None:
    """Print the jobs that match, and how to see more."""
    found = walk.take(limit)
    first = list(itertools.islice(found, 1))
    empty = "no jobs match; see all queues by `honker queues DB`"
    if walk.is_cut:
        empty = "no match so far"
    listing.print((_row(each) for each in itertools.chain(first, found)), _COLUMNS, empty=empty)
    if walk.is_cut:
        notice(f"honker: searched down to job {walk.next}; pass --after {walk.next} to go on, or --all to search all")
    elif walk.next is not None:
        notice(f"honker: there are more; pass --after {walk.next} or a larger -n")


class _Walk:
    """A walk over the pages of a list.

    Attributes:
        next: The cursor after the jobs taken so far; None at the end.
        is_cut: True if a page ended by the bound of its call, and the walk with it.
    """

    def __init__(self, db: Database, filters: dict[str, Any], after: str | None, *, is_all: bool) -> None:
        self._db, self._filters, self._is_all = db, filters, is_all
        self._told_at = clock.monotonic()
        self.next = after
        self.is_cut = False

    def take(self, limit: int) -> Iterator[JobSummary]:
        left, is_first = limit, True
        while left and (is_first or self.next is not None):
            page = self._db.jobs(**self._filters, after=self.next, limit=min(left, PAGE))
            self.next, is_first = page.next, False
            left -= len(page.jobs)
            yield from page.jobs
            if not page.is_complete:
                if not self._is_all:
                    self.is_cut = True
                    return
                self._tell()

    def _tell(self) -> None:
        """Print the progress of a long search on standard error, once in a while."""
        seen_at = clock.monotonic()
        if seen_at >= self._told_at + _PROGRESS_S:
            self._told_at = seen_at
            notice(f"honker: searched down to job {self.next}")


def _row(job: JobSummary) -> dict[str, Any]:
    return {**job, "progress": None if job.progress is None else dict(job.progress)}


@click.command(
    short_help="Show all that is known of a job.",
    epilog="""\b
Examples:
  honker job shop.db 17
  honker job shop.db 17 --json | jq -r .why

Exit codes: 0 found, 1 there is no such job or database error, 2 usage error.""",
)
@database_argument
@click.argument("job_id", metavar="ID", type=int)
@json_option
def job(path: str, job_id: int, is_json: bool) -> int:
    """Show the job ID of the database DB: its state, the reason why it is not running, payload and attempts."""
    with open_existing(path) as db:
        found = db.job(job_id)
    if found is None:
        notice(f"job {job_id} does not exist, or has ended in a queue that keeps no finished jobs")
        return 1
    output = Output(is_json=is_json)
    if is_json:
        output.line("", plain(found))
    else:
        for line in _lines(found):
            output.line(line, {})
    return 0


def plain(value: Any) -> Any:
    """A record with everything in it as plain values."""
    if hasattr(value, "keys"):
        return {name: plain(value[name]) for name in value}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    return value


_FIELDS: Final = ("queue", "task", "key", "unique_key", "priority", "worker_id", "snoozes", "workflow")
_TIMES: Final = ("created_at", "run_at", "claim_expires_at", "cancel_requested_at", "unknown_since", "ended_at")


def _lines(job: JobDetail) -> Iterator[str]:
    facts: dict[str, str] = {"id": str(job.id), "state": _state(job.state), "why": text(job.why)}
    facts |= {name: text(job[name]) for name in _FIELDS if job[name] not in {None, 0}}
    facts["attempts"] = f"{job.attempts} of {job.max_attempts}"
    facts |= {name: moment(job[name]) for name in (*_TIMES, "expires_at") if job[name] is not None}
    if job.progress is not None:
        facts["progress"] = _about(_row(job))
    for name in ("parents", "children"):
        relatives = ", ".join(f"{each.job_id}{f' ({each.outcome})' if each.outcome else ''}" for each in job[name])
        if relatives:
            facts[name] = relatives + ("" if job[f"{name}_is_exact"] else ", ...")
    width = max(map(len, facts))
    yield from (f"{faint(f'{name:<{width}}')}  {value}" for name, value in facts.items())
    for title, content in (("payload", job.payload), ("result", job.result), ("error", job.error)):
        if content is not None:
            yield faint(f"{title}:")
            yield from (f"  {visible(line)}" for line in _pretty(content).splitlines())
    if job.history:
        yield faint("attempts that did not succeed:")
    for attempt in job.history:
        first = (attempt.error or "").strip().splitlines()[-1:]
        yield f"  {attempt.attempt}  {moment(attempt.ended_at)}  {attempt.outcome}  {visible(''.join(first))}".rstrip()


def _pretty(content: str) -> str:
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False)
    except ValueError:
        return content


_GROUP_COLUMNS: Final = (
    Column("jobs", lambda row: count(row["count"], is_exact=not row["is_bounded"]), is_right=True),
    name_column("queue", "queue"),
    Column("task", lambda row: text(row["task"]), is_flexible=True),
    Column("error", lambda row: text(row["error"]), is_flexible=True, style=lambda each: click.style(each, fg="red")),
    number_column("newest", "newest_id"),
    age_column("died", "newest_at"),
    text_column("example", "example", is_flexible=True),
)


@click.command(
    short_help="List dead letters, or group them by error.",
    epilog=f"""\b
Examples:
  honker dead shop.db
  honker dead shop.db --by error --since 24h
  honker requeue shop.db --all --queue emails --error TimeoutError

{_EXIT_CODES}""",
)
@database_argument
@click.option("--by", type=click.Choice(["error"]), help="Group by queue, task and kind of error.")
@click.option("--queue", metavar="NAME", help="Only dead letters of this queue.")
@click.option(
    "--since",
    callback=read_since,
    metavar="MOMENT",
    help="Only jobs enqueued, with --by those that died, since: 15m, 3h, 7d, or a moment.",
)
@limit_option
@_after_option
@list_options
def dead(  # noqa: PLR0917 - click passes them by name
    path: str,
    by: str | None,
    queue: str | None,
    since: Any,
    limit: int,
    after: str | None,
    is_json: bool,
    is_csv: bool,
) -> None:
    """List the dead letters of the database DB, the newest first. With --by error, the largest group first."""
    if by is not None and after is not None:
        raise click.UsageError("--by and --after exclude each other; give one of them")
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        since = since_of(since)
        if by is None:
            walk = _Walk(db, {"state": "dead", "queue": queue, "since": since}, after, is_all=True)
            _print_jobs(walk, limit, listing)
            return
        groups = db.dead_groups(queue=queue, since_s=_age_s(since), limit=limit)
    listing.print([dict(each) for each in groups], _GROUP_COLUMNS, empty="no dead letters")


def _age_s(since: float | datetime | None) -> float | None:
    """The seconds since a moment."""
    if since is None:
        return None
    return max(0.0, now() - (since.timestamp() if isinstance(since, datetime) else since))
