"""``honker scheduler``: enqueue jobs at the times of schedules."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import click

from honker.cli.log import configure_logging, log_option
from honker.cli.output import Output, ReaderGone, json_option
from honker.cli.signals import run_until_stopped
from honker.cli.target import METAVAR, open_target
from honker.database import Database
from honker.errors import LeadershipLost
from honker.schedule.scheduler import Scheduler

#: Prints one line: the event's name for programs, its text for people, and further fields.
Say: TypeAlias = Callable[..., None]


@click.command(
    short_help="Enqueue jobs at the times of schedules.",
    epilog="""\b
Example:
  honker scheduler shop.tasks:db

Any number of processes may run it: one leads, the others stand by and take over if it ends. Ctrl-C or SIGTERM stops it.
Exit codes: 0 stopped cleanly, 1 error, no schedule, or another scheduler leads, at the start or later (with
--no-standby), 2 usage error.""",
)
@click.argument("target", metavar=METAVAR)
@click.option(
    "--standby/--no-standby",
    default=True,
    help="Wait while another scheduler leads (default), or exit.",
)
@log_option
@json_option
def scheduler(target: str, standby: bool, log_level: str, is_json: bool) -> int:
    """Fire the schedules of a database: at each boundary, enqueue its job.

    MODULE:APP names a variable that holds a honker.App or a honker.Database. Importing the module registers its
    periodic tasks; the current directory is searched too.
    """
    db = open_target(target)
    configure_logging(log_level, is_json=is_json)
    say = speaker("scheduler", Output(is_json=is_json))

    async def main(stop: asyncio.Event) -> None:
        say("started", f"pid={os.getpid()} database={db.path}", pid=os.getpid(), database=db.path)
        await schedule(db, stop, say, stands_by=standby)
        say("stopped", "stopped cleanly")

    return run_until_stopped(main, lambda name: say("stopping", f"stopping ({name})", signal=name))


async def schedule(db: Database, stop: asyncio.Event, say: Say, *, stands_by: bool = True) -> None:
    """Lead, or stand by for the leadership, until ``stop`` is set.

    Raises:
        LockHeld: Another scheduler leads, and standby is off.
        LeadershipLost: The leadership was lost, and standby is off.
        DatabaseError: There is no schedule at all.
    """
    scheduler = Scheduler(db)

    def announce() -> None:
        count = len(scheduler.list())
        say("leading", f"leading; {count} schedule{'' if count == 1 else 's'}", schedules=count)

    def tell(error: LeadershipLost | None) -> None:
        if error is None:
            say("standing by", "another scheduler leads; standing by")
        else:
            say("standing by", f"{error}; standing by", error=str(error))

    try:
        await scheduler.run(stop, standby=stands_by, on_leading=announce, on_standby=tell)
    except LeadershipLost as error:
        raise LeadershipLost(f"{error}; it ends here because of --no-standby") from error


def speaker(command: str, output: Output) -> Say:
    """Make the function that prints the lines of a command."""

    def say(event: str, text: str, **facts: Any) -> None:
        # The command continues even if its output pipe is closed.
        with contextlib.suppress(ReaderGone):
            output.line(f"{click.style(f'honker {command}:', bold=True)} {text}", {"event": event, **facts})

    return say
