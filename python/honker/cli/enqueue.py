"""``honker enqueue``: add a job."""

from __future__ import annotations

import contextlib
import json
import sys
from datetime import datetime
from typing import Any, NoReturn

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.output import Output, json_option


def _read_payload(ctx: click.Context, param: click.Parameter, text: str) -> Any:
    """Parse JSON text; ``-`` reads it from standard input."""
    try:
        return json.loads(sys.stdin.read() if text == "-" else text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}. A string needs quotes, as in '\"text\"'") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _read_moment(ctx: click.Context, param: click.Parameter, text: str | None) -> float | datetime | None:
    """Parse Unix seconds or an ISO 8601 date and time, which is local time without a zone."""
    if text is None:
        return None
    for read in (float, datetime.fromisoformat):
        with contextlib.suppress(ValueError):
            return read(text)
    raise click.BadParameter(f"{text!r} is neither Unix seconds nor a time such as 2026-12-24T18:00:00+01:00")


@click.command(
    short_help="Add a job to a queue.",
    epilog="""\b
Examples:
  honker enqueue shop.db emails '{"to": "alice"}'
  honker enqueue shop.db emails '{"to": "bob"}' --delay 60 --priority 5
  generate-report | honker enqueue shop.db reports -

Exit codes: 0 enqueued, 1 database error, 2 usage error.""",
)
@database_argument
@click.argument("queue")
@click.argument("payload", callback=_read_payload)
@click.option("--delay", type=float, metavar="SECONDS", help="Seconds from now before which the job does not run.")
@click.option(
    "--run-at",
    callback=_read_moment,
    metavar="MOMENT",
    help="Do not run it before this time: Unix seconds, or 2026-12-24T18:00:00+01:00 (local without a zone).",
)
@click.option("--priority", type=int, default=0, show_default=True, metavar="N", help="Larger values run sooner.")
@click.option("--expires", type=float, metavar="SECONDS", help="Seconds from now after which the job no longer runs.")
@click.option("--max-attempts", type=int, metavar="N", help="Attempts before the job is dead-lettered (default: 3).")
@json_option
def enqueue(  # noqa: PLR0917 - click passes them by name
    path: str,
    queue: str,
    payload: Any,
    delay: float | None,
    run_at: float | datetime | None,
    priority: int,
    expires: float | None,
    max_attempts: int | None,
    is_json: bool,
) -> None:
    """Add a job to QUEUE of the database file DB and print its id.

    PAYLOAD is JSON; "-" reads it from standard input. The file must exist and have honker's tables.
    """
    if delay is not None and run_at is not None:
        raise click.UsageError("--delay and --run-at exclude each other; give one of them")
    with open_existing(path) as db:
        job_id = db.queue(queue).enqueue(
            payload, run_at=run_at, delay=delay, priority=priority, expires=expires, max_attempts=max_attempts
        )
    Output(is_json=is_json).line(str(job_id), {"id": job_id, "queue": queue})
