"""``honker workers``: the processes that run jobs."""

from __future__ import annotations

from typing import Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.jobs import plain
from honker.cli.table import Column, Listing, Row, age_column, list_options, name_column, text, text_column

_COLOURS: Final = {"running": "green", "stopping": "yellow", "lost": "red"}


def _state(value: str) -> str:
    return click.style(value, fg=_COLOURS.get(value.strip()))


def _names(row: Row) -> str:
    return text(", ".join(row["queues"]))


def _running(row: Row) -> str:
    return text(", ".join(f"{job['task'] or job['queue']} {job['id']}" for job in row["running"]))


COLUMNS: Final = (
    name_column("worker", "name"),
    Column("state", lambda row: row["state"], style=_state),
    Column("busy", lambda row: f"{row['busy']}/{row['slots']}", is_right=True),
    Column("queues", _names, is_flexible=True),
    age_column("started", "started_at"),
    age_column("seen", "seen_at"),
    text_column("version", "version"),
    Column("runs", _running, is_flexible=True),
)


@click.command(
    short_help="List the workers and the jobs that they run.",
    epilog="""\b
Examples:
  honker workers shop.db
  honker workers shop.db --json | jq 'select(.state == "lost").name'

A worker is lost if three of its reports are missing or its process has ended; its jobs run again when their lease ends.

Exit codes: 0 done, 1 database error, 2 usage error.""",
)
@database_argument
@list_options
def workers(path: str, is_json: bool, is_csv: bool) -> None:
    """List the workers that have registered in the database DB."""
    listing = Listing(is_json, is_csv)
    with open_existing(path) as db:
        rows = [plain(each) for each in db.workers()]
    listing.print(rows, COLUMNS, empty="no workers; start one by `honker worker MODULE:APP`")
