"""``honker schedules``: list, run, pause and resume schedules."""

from __future__ import annotations

import json
from typing import Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.output import Output, bright
from honker.cli.table import Column, Listing, Row, age_column, list_options, name_column, text, text_column
from honker.database import Database
from honker.schedule.scheduler import ScheduleInfo, Scheduler


def _status(row: Row) -> str:
    if row["last_error"] is not None:
        return text(row["last_error"])
    return "" if row["enabled"] else "paused"


_COLUMNS: Final = (
    name_column("schedule", "name"),
    text_column("queue", "queue"),
    Column("times", lambda row: text(row["cron_expr"]), is_flexible=True),
    text_column("zone", "time_zone"),
    age_column("next", "next_fire_at"),
    text_column("last job", "last_job_id"),
    Column("", _status, is_flexible=True, style=lambda cell: click.style(cell, fg="yellow")),
)


@click.command(
    short_help="List, run, pause or resume schedules.",
    epilog="""\b
Examples:
  honker schedules shop.db
  honker schedules shop.db run nightly-report
  honker schedules shop.db pause nightly-report
  honker schedules shop.db resume nightly-report

Exit codes: 0 done, 1 database error, 2 usage error.""",
)
@database_argument
@click.argument("action", metavar="[run|pause|resume]", type=click.Choice(["run", "pause", "resume"]), required=False)
@click.argument("name", metavar="[NAME]", required=False)
@list_options
def schedules(path: str, action: str | None, name: str | None, is_json: bool, is_csv: bool) -> None:
    """List the schedules of the database DB, or act on the schedule NAME.

    "run" enqueues its job now, and its next boundary stays. "pause" stops it from firing until "resume".
    """
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        found = {each.name: each for each in Scheduler(db).list()}
        if action is None:
            empty = "no schedules; declare one by @app.periodic_task"
            listing.print([dict(each) for each in found.values()], _COLUMNS, empty=empty)
            return
        if name is None:
            raise click.UsageError(f"{action!r} needs the NAME of a schedule; `honker schedules {path}` lists them")
        if name not in found:
            known = ", ".join(found) or "there are none"
            raise click.BadParameter(f"{name!r} is no schedule; the schedules are: {known}", param_hint="NAME")
        _act(db, action, found[name], Output(is_json=is_json))


def _act(db: Database, action: str, schedule: ScheduleInfo, output: Output) -> None:
    name = schedule.name
    if action == "run":
        job_id = db.queue(schedule.queue).enqueue(
            json.loads(schedule.payload),
            priority=schedule.priority,
            expires=schedule.expires_s,
            max_attempts=schedule.max_attempts,
        )
        output.line(f"{bright(name)} enqueued job {job_id} in {schedule.queue}", {"schedule": name, "job_id": job_id})
        return
    scheduler = Scheduler(db)
    is_changed = scheduler.pause(name) if action == "pause" else scheduler.resume(name)
    state = "paused" if action == "pause" else "resumed"
    output.line(
        f"{bright(name)} {state if is_changed else f'was {state} already'}",
        {"schedule": name, "is_changed": is_changed},
    )
