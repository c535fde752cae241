"""``honker queues``, ``workers``, ``streams``, ``locks`` and ``workflows``: the state of a file in tables."""

from __future__ import annotations

from typing import Any, Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.filters import PAGE
from honker.cli.jobs import plain
from honker.cli.output import notice
from honker.cli.table import (
    Column,
    Listing,
    Row,
    age_column,
    count,
    distance,
    limit_option,
    list_options,
    name_column,
    number_column,
    span,
    text,
    text_column,
)
from honker.database import Database
from honker.queue.stats import QueueStats

_EXIT_CODES: Final = "Exit codes: 0 done, 1 database error, 2 usage error."


def _count_column(title: str, field: str, colour: str | None = None) -> Column:
    """A column of counts that may be lower bounds; coloured unless they are 0."""

    def show(row: Row) -> str:
        return count(row[field], is_exact=row[f"{field}_is_exact"])

    def style(cell: str) -> str:
        return cell if cell.strip() == "0" else click.style(cell, fg=colour)

    return Column(title, show, is_right=True, style=style)


def _pause(row: Row) -> str:
    """The pause of a queue, if there is one."""
    if row["paused_at"] is None:
        return ""
    until = "" if row["paused_until"] is None else f", ends {distance(row['paused_until'])}"
    reason = "" if row["pause_reason"] is None else f": {text(row['pause_reason'])}"
    return f"paused{until}{reason}"


QUEUE_COLUMNS: Final = (
    name_column("queue", "queue"),
    _count_column("ready", "ready"),
    _count_column("delayed", "delayed"),
    Column(
        "running",
        lambda row: f"{row['processing']:,}" + ("" if row["concurrency"] is None else f"/{row['concurrency']:,}"),
        is_right=True,
    ),
    _count_column("blocked", "blocked", "yellow"),
    _count_column("waiting", "waiting"),
    _count_column("dead", "dead", "red"),
    Column("oldest", lambda row: span(row["oldest_ready_age_s"]), is_right=True),
    Column("", _pause, is_flexible=True, style=lambda cell: click.style(cell, fg="yellow")),
)


#: Queues up to which the counts go to the bound of the engine: SQLite visits each row that it counts.
FEW_QUEUES: Final = 5
#: The bound of each count in a file with more queues.
LOW_BOUND: Final = 1_000


def _stats(db: Database) -> list[QueueStats]:
    """Count the jobs of each queue, to a bound with which the list comes at once."""
    found = db.stats(LOW_BOUND)
    return db.stats() if len(found) <= FEW_QUEUES else found


@click.command(
    short_help="List the queues with their jobs by state.",
    epilog=f"""\b
Examples:
  honker queues shop.db
  honker queues shop.db --json | jq 'select(.dead > 0).queue'

A count with a plus sign stopped at its bound: 10,000, or 1,000 in a file with more than five queues.
"oldest" is the time for which a ready job has been due.

{_EXIT_CODES}""",
)
@database_argument
@list_options
def queues(path: str, is_json: bool, is_csv: bool) -> None:
    """List the queues of the database DB that are paused or have jobs or dead letters."""
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        rows = [{**vars(each), "concurrency": db.queue(each.queue).settings().concurrency} for each in _stats(db)]
    empty = "no jobs; add one by `honker enqueue DB QUEUE PAYLOAD`"
    listing.print(rows, QUEUE_COLUMNS, empty=empty)


_LAG: Final = Column(
    "lag", lambda row: "-" if row["lag"] is None else count(row["lag"], is_exact=row["lag_is_exact"]), is_right=True
)
_STREAM_COLUMNS: Final = (
    name_column("topic", "topic"),
    _count_column("events", "count"),
    number_column("first", "first_offset"),
    number_column("last", "last_offset"),
    age_column("published", "last_at"),
    text_column("consumer", "consumer"),
    number_column("offset", "offset"),
    _LAG,
)


@click.command(
    short_help="List the streams and the lag of their consumers.",
    epilog=f"""\b
Examples:
  honker streams shop.db
  honker streams shop.db --csv > lag.csv

{_EXIT_CODES}""",
)
@database_argument
@list_options
def streams(path: str, is_json: bool, is_csv: bool) -> None:
    """List the streams of the database DB, one line for each consumer. The lag is its number of unread events."""
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        found = [plain(each) for each in db.streams()]
    if not all(each["consumers_are_complete"] for each in found):
        notice("honker: the file has more consumers than a list reads; the first by name are shown")
    nobody = {"name": None, "offset": None, "lag": None, "lag_is_exact": None}
    rows: list[dict[str, Any]] = []
    for stream in found:
        consumers = stream.pop("consumers") or [nobody]
        rows += [{**stream, **each, "consumer": each["name"]} for each in consumers]
    for row in rows:
        del row["name"]
    listing.print(rows, _STREAM_COLUMNS, empty="no streams; publish an event by db.stream(TOPIC).publish(...)")


_LOCK_COLUMNS: Final = (
    name_column("lock", "name"),
    text_column("owner", "owner", is_flexible=True),
    age_column("taken", "taken_at"),
    age_column("expires", "expires_at"),
    number_column("token", "token"),
)


@click.command(
    short_help="List the locks that are held.",
    epilog=f"""\b
Examples:
  honker locks shop.db

The lock honker-scheduler is that of the process that leads the schedules.

{_EXIT_CODES}""",
)
@database_argument
@list_options
def locks(path: str, is_json: bool, is_csv: bool) -> None:
    """List the locks of the database DB with their owners."""
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        rows = [dict(each) for each in db.locks()]
    listing.print(rows, _LOCK_COLUMNS, empty="no lock is held")


def _progress(row: Row) -> str:
    ended = sum(row["states"].get(state, 0) for state in ("done", "dead", "cancelled"))
    return f"{ended}/{sum(row['states'].values())}" + ("" if len(row["jobs"]) == row["count"] else "+")


_WORKFLOW_COLUMNS: Final = (
    number_column("id", "id"),
    Column("workflow", lambda row: text(row["name"] or "-"), is_flexible=True),
    age_column("enqueued", "created_at"),
    number_column("jobs", "count"),
    Column("ended", _progress, is_right=True),
    Column(
        "states",
        lambda row: ", ".join(f"{number} {state}" for state, number in row["states"].items()),
        is_flexible=True,
    ),
)


@click.command(
    short_help="List workflows with the states of their jobs.",
    epilog=f"""\b
Examples:
  honker workflows shop.db
  honker workflows shop.db --json | jq '.jobs[] | select(.state == "dead")'

{_EXIT_CODES}""",
)
@database_argument
@limit_option
@list_options
def workflows(path: str, limit: int, is_json: bool, is_csv: bool) -> None:
    """List the workflows of the database DB, the last one first."""
    listing = Listing(is_json, is_csv)
    rows: list[dict[str, Any]] = []
    with open_existing(path) as db:
        after = None
        while len(rows) < limit:
            page = db.workflows(after=after, limit=min(PAGE, limit - len(rows)))
            rows += [plain(each) for each in page.workflows]
            after = page.next
            if after is None:
                break
    listing.print(rows, _WORKFLOW_COLUMNS, empty="no workflows; see `honker.chain`, `group` and `chord`")
