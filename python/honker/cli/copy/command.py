"""The command ``honker copy``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict

import click

from honker.cli.copy.copier import Copier, Progress
from honker.cli.copy.file_store import FileStore
from honker.cli.copy.store import CopyError, Source, Target
from honker.cli.database_file import location_of
from honker.cli.database_url import refused
from honker.cli.output import Output, bright, json_option, notice
from honker.cli.signals import cleaned_up
from honker.errors import HonkerError
from honker.postgres.location import is_postgres, without_password


@click.command(
    short_help="Copy a database to another one, as from a file to PostgreSQL.",
    epilog="""\b
Examples:
  honker copy shop.db postgresql://admin@host/shop
  honker copy postgresql://admin@host/shop shop.db
  honker copy shop.db postgresql://admin@host/shop --prepare

Jobs of all states with their ids, keys, dependencies and history, dead letters, finished jobs, results, streams with
the offsets of consumers, schedules, limits and settings are copied. Locks, notifications and counts by minute are not.

Stop workers and all that enqueues, copy, and start them with the other database. Or, for a short stop: copy most rows
by --prepare while all runs; pause the queues and wait for the running jobs; stop all that enqueues; run it again
without --prepare; switch. Pauses are copied too, so end them there by `honker resume`.

TARGET must be empty. Until the copy has ended, workers refuse to claim jobs there. After Ctrl-C or a crash, the same
command goes on where it stopped. At the end the number of rows and a digest of each table are compared on both sides.

On PostgreSQL, use the role that owns the schema "honker".

Exit codes: 0 copied and equal (or prepared), 1 error, 2 usage error, 130 Ctrl-C.""",
)
@click.argument("source")
@click.argument("target")
@click.option("--prepare", "prepares", is_flag=True, help="Copy the rows of now, and leave the rest to a later run.")
@json_option
def copy(source: str, target: str, prepares: bool, is_json: bool) -> None:
    """Copy all that SOURCE holds to TARGET; each is a file, a URL or MODULE:APP."""
    output = Output(is_json=is_json)
    try:
        with (
            cleaned_up(),
            closing(_source(location_of(source))) as origin,
            closing(_target(location_of(target))) as destination,
        ):
            _warn_of_workers(origin)
            copier = Copier(origin, destination, _show_progress(is_json))
            is_continued = copier.copy()
            if prepares:
                text = f"{bright(destination.shown)}: prepared; run the command again without --prepare to end the copy"
                output.line(text, {"target": destination.shown, "is_complete": False, "is_continued": is_continued})
                return
            copied = copier.finish()
    except CopyError as error:
        raise click.ClickException(str(error)) from error
    for each in copied:
        if each.rows or is_json:
            output.line(f"{each.rows:>12,}  {each.table:<16}  {each.digest}", asdict(each))
    rows = sum(each.rows for each in copied)
    text = f"{bright(destination.shown)}: {rows:,} rows, equal on both sides"
    output.line(text, {"target": destination.shown, "is_complete": True, "is_continued": is_continued, "rows": rows})


def _source(location: str) -> Source:
    return _opened(location, is_target=False)


def _target(location: str) -> Target:
    return _opened(location, is_target=True)


def _opened(location: str, *, is_target: bool) -> Target:
    try:
        if is_postgres(location):
            return _server(location, is_target=is_target)
        return FileStore(location, is_target=is_target)
    except HonkerError as error:
        if is_postgres(location):
            raise refused(location, error) from error
        raise click.ClickException(f"{location!r}: {error}") from error


def _server(url: str, *, is_target: bool) -> Target:
    try:
        from honker.cli.copy.server_store import ServerStore  # noqa: PLC0415 - imports the extra
    except ImportError as error:
        raise click.ClickException(
            f"{without_password(url)} needs psycopg, which is not installed: pip install 'honker-db[postgres]'"
        ) from error
    return ServerStore(url, is_target=is_target)


def _warn_of_workers(source: Source) -> None:
    count = source.working()
    if count:
        notice(
            f"honker: {count} workers report at {source.shown}; jobs that end there from now on run again at the "
            "target, unless their queues are paused and no job is at work"
        )


def _show_progress(is_json: bool) -> Callable[[Progress], None]:
    """Make the function that prints each tenth of a table, and its end, on standard error."""
    told: dict[tuple[str, str], int] = {}

    def show(step: Progress) -> None:
        tenth = 10 * step.done // max(step.total, 1)
        key = (step.phase, step.table)
        if tenth != told.get(key, 0) and not is_json:
            told[key] = tenth
            verb = "copied" if step.phase == "copy" else "verified"
            notice(f"honker: {verb} {step.done:,} of {step.total:,} rows of {step.table}")

    return show
