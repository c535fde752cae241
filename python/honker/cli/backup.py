"""``honker backup`` and ``honker restore``: verified copies of a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import click

from honker.cli.copying import CopyError, copy_verified
from honker.cli.database_file import check_exists, database_argument, look_at, path_of
from honker.cli.database_url import refuse_url
from honker.cli.output import Output, bright, json_option, notice
from honker.cli.schema import newest_version, schema_version
from honker.cli.signals import cleaned_up
from honker.database import open
from honker.errors import DatabaseFullError, HonkerError, from_sqlite
from honker.queue.every_queue import stats
from honker.schedule.scheduler import ScheduleInfo, Scheduler

_EXIT_CODES = "Exit codes: 0 done, 1 error, 2 usage error, 130 Ctrl-C. Without success, TARGET is as before."


def _show_progress(is_json: bool) -> Callable[[int, int], None]:
    """Make the function that prints how many pages are copied, at each tenth, on standard error."""
    told = 0

    def show(done: int, total: int) -> None:
        nonlocal told
        tenth = 10 * done // total if total else 10
        if tenth > told and not is_json:
            told = tenth
            notice(f"honker: {tenth * 10} % of {total:,} pages")

    return show


@click.command(
    short_help="Copy a file while it is in use.",
    epilog=f"""\b
Examples:
  honker backup shop.db backups/shop-monday.db
  honker backup shop.tasks:app shop-copy.db --force

The copy holds everything that was committed when it began; writers go on meanwhile. It is made beside TARGET, checked
(PRAGMA integrity_check, and the number of rows of each table), written through to the disk, and then renamed.

{_EXIT_CODES}""",
)
@database_argument
@click.argument("target", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite TARGET if it exists.")
@json_option
def backup(path: str, target: str, force: bool, is_json: bool) -> None:
    """Copy the database file DB, which may be in use, to the file TARGET."""
    refuse_url(target, "name a file as TARGET; `honker copy` copies between a file and a URL")
    path = path_of(path, "pg_dump copies a PostgreSQL database, and `honker copy` its jobs to another one or to a file")
    copied = _copied(path, target, force, is_json)
    text = f"{bright(target)}: {copied['bytes']:,} bytes, {copied['rows']:,} rows, verified"
    Output(is_json=is_json).line(text, {"target": target, **copied})


def _copied(
    source: str, target: str, force: bool, is_json: bool, prepare: Callable[[str], None] | None = None
) -> dict[str, int]:
    try:
        with cleaned_up():
            return copy_verified(source, target, force=force, on_progress=_show_progress(is_json), prepare=prepare)
    except CopyError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{target!r} cannot be written: {error.strerror}; name another TARGET") from error
    except sqlite3.Error as error:
        raise _named(from_sqlite(error), source, target) from error


def _named(error: HonkerError, source: str, target: str) -> click.ClickException:
    """An error of SQLite with the file that it concerns. Only the copy needs space."""
    if isinstance(error, DatabaseFullError):
        return click.ClickException(f"{target!r} cannot be written: {error}; free space, or name another TARGET")
    return click.ClickException(f"{source!r}: {error}")


@click.command(
    short_help="Put a backup in the place of a file.",
    epilog=f"""\b
Examples:
  honker restore backups/shop-monday.db shop.db
  honker restore backups/shop-monday.db shop.db --force --pause

Stop every process of TARGET before. The backup knows nothing of the time after it was made: jobs that have run since
then, and those that ran while it was made, run again. So look through them before workers start, with --pause.
Schedules go on with their next boundary from now; those between the backup and now are not fired (--catch-up fires
them as their misfire policy says).

{_EXIT_CODES}""",
)
@click.argument("backup_path", metavar="BACKUP")
@click.argument("target", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Overwrite TARGET if it exists.")
@click.option("--pause", "pauses", is_flag=True, help="Pause every queue; `honker resume` ends that.")
@click.option("--catch-up", is_flag=True, help="Leave overdue schedules as they are.")
@json_option
def restore(  # noqa: PLR0917 - click passes them by name
    backup_path: str, target: str, force: bool, pauses: bool, catch_up: bool, is_json: bool
) -> None:
    """Copy the file BACKUP to TARGET, verified, so that schedules do not fire for the past."""
    for each in (backup_path, target):
        refuse_url(each, "pg_restore restores a dump of PostgreSQL, and `honker copy` copies between a file and a URL")
    check_exists(backup_path)
    with closing(look_at(backup_path)) as conn:
        if schema_version(conn) > newest_version():
            raise click.ClickException(f"{backup_path!r} is of a newer honker; upgrade honker, then restore it")
    paused: list[str] = []
    moved: list[str] = []

    def prepare(copy: str) -> None:
        # Before the copy gets its name: a worker that is started at once must not run its jobs.
        nonlocal paused, moved
        paused, moved = _calm(copy, pauses=pauses, catch_up=catch_up)

    copied = _copied(backup_path, target, force, is_json, prepare)
    text = f"{bright(target)}: {copied['bytes']:,} bytes, {copied['rows']:,} rows, verified"
    text += f"; {len(moved)} schedules moved on, {len(paused)} queues paused"
    Output(is_json=is_json).line(text, {"target": target, **copied, "schedules": moved, "paused": paused})


class _Expression:
    """The times of a stored schedule."""

    def __init__(self, expr: str, time_zone: str | None) -> None:
        self.expr = expr
        self.time_zone = time_zone


def _calm(path: str, *, pauses: bool, catch_up: bool) -> tuple[list[str], list[str]]:
    """Pause the queues and move the schedules on; return the names of both."""
    with open(path) as db:
        queues = [each.queue for each in stats(db)] if pauses else []
        for name in queues:
            db.queue(name).pause(reason="restored from a backup")
        scheduler = Scheduler(db)
        overdue = [] if catch_up else [each for each in scheduler.list() if each.next_fire_at < db.engine.clock()]
        for schedule in overdue:
            _move_on(scheduler, schedule)
    return queues, [each.name for each in overdue]


def _move_on(scheduler: Scheduler, schedule: ScheduleInfo) -> None:
    """Give a schedule its next boundary from now. Only another expression moves it, so it gets one for a moment."""
    with scheduler.db.engine.transaction() as tx:
        scheduler.update(schedule.name, schedule=_Expression("@every 1d", None), tx=tx)
        scheduler.update(schedule.name, schedule=_Expression(schedule.cron_expr, schedule.time_zone), tx=tx)
