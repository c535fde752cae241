"""``honker enqueue``: add a job."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NoReturn

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.moments import read_moment
from honker.cli.numbers import SecondsRange
from honker.cli.output import Output, json_option


def _read_payload(ctx: click.Context, param: click.Parameter, text: str) -> Any:
    """Parse JSON text; ``-`` reads it from standard input."""
    try:
        return json.loads(sys.stdin.read() if text == "-" else text, parse_constant=refuse_constant)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}. A string needs quotes, as in '\"text\"'") from error


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python reads as JSON."""
    raise ValueError(f"{name} is not a JSON number")


#: Seconds from now.
AT_LEAST_NOW: Final = SecondsRange(min=0)
_MORE_THAN_NOW: Final = SecondsRange(min=0, min_open=True)


def _unique_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a unique key."""
    for option in (
        click.option(
            "--debounce-max",
            "debounce_max_s",
            type=_MORE_THAN_NOW,
            metavar="SECONDS",
            help="But at most so long after the first of these.",
        ),
        click.option(
            "--debounce",
            "debounce_s",
            type=_MORE_THAN_NOW,
            metavar="SECONDS",
            help="Start so long after the last enqueue of the unique key.",
        ),
        click.option(
            "--unique-for",
            "unique_for_s",
            type=_MORE_THAN_NOW,
            metavar="SECONDS",
            help="Keep the unique key taken so long after success.",
        ),
        click.option(
            "--unique-until",
            type=click.Choice(["finished", "started"]),
            help="Free the unique key at the end (default) or at the start.",
        ),
        click.option(
            "--on-conflict",
            type=click.Choice(["existing", "replace", "rerun", "raise"]),
            help="If the unique key is taken: print the id of its job (existing, the default), replace a job that has "
            "not started, run once more after a running one, or fail.",
        ),
        click.option("--unique-key", metavar="KEY", help="Allow one job of this key in the queue."),
    ):
        command = option(command)
    return command


def _parent_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a job that runs after others."""
    on_failure = click.option(
        "--on-parent-failure",
        type=click.Choice(["cancel", "run", "wait"]),
        help="If one of them fails: dead-letter the job (cancel, the default), run it, or wait for a requeue.",
    )
    after = click.option(
        "--after", type=int, multiple=True, metavar="ID", help="Run after this job has ended. May be repeated."
    )
    return after(on_failure(command))


@click.command(
    short_help="Add a job to a queue.",
    epilog="""\b
Examples:
  honker enqueue shop.db emails '{"to": "alice"}'
  honker enqueue shop.db emails '{"to": "bob"}' --delay 60 --priority 5
  generate-report | honker enqueue shop.db reports -
  honker enqueue shop.db emails '{"to": "alice"}' --key acme --unique-key welcome-7
  honker enqueue shop.db reports '{}' --after 17 --after 18

Exit codes: 0 enqueued, 1 database error, 2 usage error.""",
)
@database_argument
@click.argument("queue")
@click.argument("payload", callback=_read_payload)
@click.option(
    "--delay", type=AT_LEAST_NOW, metavar="SECONDS", help="Seconds from now before which the job does not run."
)
@click.option(
    "--run-at",
    callback=read_moment,
    metavar="MOMENT",
    help="Do not run it before this time: Unix seconds, or 2026-12-24T18:00:00+01:00 (local without a zone).",
)
@click.option("--priority", type=int, default=0, show_default=True, metavar="N", help="Larger values run sooner.")
@click.option(
    "--expires",
    type=_MORE_THAN_NOW,
    metavar="SECONDS",
    help="Seconds from now after which the job no longer runs.",
)
@click.option("--max-attempts", type=int, metavar="N", help="Attempts before the job is dead-lettered (default: 3).")
@click.option("--key", metavar="KEY", help="The key whose jobs share the limits per key of the queue.")
@_unique_options
@_parent_options
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
    **flow: Any,
) -> None:
    """Add a job to QUEUE of the database DB and print its id.

    PAYLOAD is JSON; "-" reads it from standard input. The file must exist and have honker's tables.

    Workers of tasks run calls, which `honker call` enqueues; other payloads are for code that claims jobs itself.
    """
    if delay is not None and run_at is not None:
        raise click.UsageError("--delay and --run-at exclude each other; give one of them")
    options = {"run_at": run_at, "delay": delay, "priority": priority, "expires": expires, "max_attempts": max_attempts}
    flow["after"] = flow["after"] or None
    record: dict[str, Any] = {"queue": queue}
    with open_existing(path, makes_app_file=True) as db:
        if flow["unique_key"] is None:
            record["id"] = db.queue(queue).enqueue(payload, **options, **flow)
        else:
            record |= db.queue(queue).enqueue_unique(payload, **options, **flow)
    Output(is_json=is_json).line(str(record["id"]), record)
