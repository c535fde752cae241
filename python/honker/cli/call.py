"""``honker call``: enqueue the call of a task."""

from __future__ import annotations

import json
from typing import Any

import click

from honker.cli.database_file import database_argument, is_target, open_existing
from honker.cli.enqueue import AT_LEAST_NOW, refuse_constant
from honker.cli.output import Output, json_option
from honker.database import Database
from honker.errors import UnknownTaskError
from honker.task.message import envelope
from honker.task.registry import TaskSpec


def _read_value(text: str) -> Any:
    """The value of JSON text; other text stands for itself."""
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except ValueError:
        return text


def _read_args(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> list[Any]:
    return [_read_value(text) for text in texts]


def _read_kwargs(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice")
        found[name] = _read_value(value)
    return found


def _task(db: Database, name: str, queue: str | None) -> TaskSpec:
    """The task of an app.

    Raises:
        click.BadParameter: It has no such task.
    """
    try:
        return db.registry.get(name, queue, db.engine.identity)
    except UnknownTaskError as error:
        raise click.BadParameter(str(error), param_hint="TASK") from error


@click.command(
    short_help="Call a task: add the job that a worker runs.",
    epilog="""\b
Examples:
  honker call shop.db shop.tasks.send_email --queue emails --arg alice
  honker call shop.tasks:app shop.tasks.send_email --arg alice
  honker call shop.db shop.tasks.report --arg 2026 --kwarg format=pdf --delay 60

The payload of the job is {"__honker_task__": {"task": NAME, "args": [...], "kwargs": {...}}}; any SQL may enqueue it.

Exit codes: 0 enqueued, 1 database error, 2 usage error.""",
)
@database_argument
@click.argument("task")
@click.option("--queue", metavar="NAME", help="The queue (default: that of the task in MODULE:APP, else 'default').")
@click.option(
    "--arg",
    "args",
    multiple=True,
    callback=_read_args,
    metavar="VALUE",
    help="A positional argument, as JSON; a value that is no JSON is text. May be repeated.",
)
@click.option(
    "--kwarg",
    "kwargs",
    multiple=True,
    callback=_read_kwargs,
    metavar="NAME=VALUE",
    help="A keyword argument, with a value like that of --arg. May be repeated.",
)
@click.option("--delay", type=AT_LEAST_NOW, metavar="SECONDS", help="Seconds before which the job does not run.")
@click.option("--priority", type=int, default=0, show_default=True, metavar="N", help="Larger values run sooner.")
@click.option("--max-attempts", type=int, metavar="N", help="Attempts before the job is dead-lettered (default: 3).")
@json_option
def call(  # noqa: PLR0917 - click passes them by name
    path: str,
    task: str,
    queue: str | None,
    args: list[Any],
    kwargs: dict[str, Any],
    delay: float | None,
    priority: int,
    max_attempts: int | None,
    is_json: bool,
) -> None:
    """Enqueue a call of TASK in the database DB, a file or MODULE:APP, and print the id of its job.

    TASK is the name that `honker worker --list` prints, by default the module and name of the function. With a file,
    neither the task nor its arguments are checked here: a worker that does not know the task puts the job back for one
    that does. With MODULE:APP, the task must be one of the app, and has its queue and attempts there.
    """
    with open_existing(path, makes_app_file=True) as db:
        if is_target(path):
            spec = _task(db, task, queue)
            queue, max_attempts = queue or spec.queue_name, max_attempts or spec.retries
        queue = queue or "default"
        job_id = db.queue(queue).enqueue(
            envelope(task, tuple(args), kwargs), delay=delay, priority=priority, max_attempts=max_attempts
        )
    Output(is_json=is_json).line(str(job_id), {"id": job_id, "queue": queue, "task": task})
