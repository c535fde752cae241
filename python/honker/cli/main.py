"""The program ``honker``: its commands, and the handling of their errors."""

from __future__ import annotations

import importlib.metadata
import platform
import sqlite3
import sys
from typing import NoReturn

import click

from honker.cli.backup import backup, restore
from honker.cli.bulk import cancel, discard, requeue, run_now
from honker.cli.call import call
from honker.cli.copy.command import copy
from honker.cli.doctor.command import doctor
from honker.cli.enqueue import enqueue
from honker.cli.jobs import dead, job, jobs
from honker.cli.listen import listen
from honker.cli.listings import locks, queues, streams, workflows
from honker.cli.metrics import metrics
from honker.cli.migrate import migrate
from honker.cli.operating import limits, pause, queue, resume
from honker.cli.output import ReaderGone, notice
from honker.cli.scheduler import scheduler
from honker.cli.schedules import schedules
from honker.cli.signals import BROKEN_PIPE, FAILED, INTERRUPTED, leave
from honker.cli.tail import tail
from honker.cli.top.command import top
from honker.cli.trial.command import trial
from honker.cli.web import web
from honker.cli.worker import worker
from honker.cli.workers import workers
from honker.errors import HonkerError, InvalidArgumentError


def _print_version(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not ctx.resilient_parsing:
        version = importlib.metadata.version("honker-db")
        click.echo(f"honker {version} (Python {platform.python_version()}, SQLite {sqlite3.sqlite_version})")
        ctx.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  honker worker shop.tasks:app
  honker call shop.db shop.tasks.send_email --queue emails --arg alice
  honker tail shop.db orders --from-start

`worker` and `scheduler` take MODULE:APP, a variable of an importable module, because they need the application's tasks;
the other commands take the database file, a URL such as postgresql://host/shop, or MODULE:APP. Set NO_COLOR to turn
colours off.""",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the versions."
)
def commands() -> None:
    """Durable jobs, streams, notifications and schedules inside your SQLite file, or on PostgreSQL."""


for _command in (
    *(worker, scheduler, call, enqueue),
    *(top, queues, jobs, job, dead, workers, schedules, streams, locks, workflows),
    *(requeue, run_now, cancel, discard, queue, limits, pause, resume),
    *(listen, tail, web),
    *(doctor, metrics, backup, restore, copy, migrate, trial),
):
    commands.add_command(_command)


def main() -> NoReturn:
    """Run the command line of this process, and exit."""
    leave(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    stream = sys.stdout
    try:
        # Not standalone: in that mode click ends the process, and uses another exit code for an interruption.
        return commands.main(arguments, prog_name="honker", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except ReaderGone:
        return BROKEN_PIPE
    except SystemExit:
        # click itself prints help and versions. If their reader has gone, it replaces the stream and exits with code 1.
        if sys.stdout is not stream:
            return BROKEN_PIPE
        raise
    except HonkerError as error:
        notice(f"{click.style('Error:', fg='red', bold=True)} {error}")
        return click.UsageError.exit_code if isinstance(error, InvalidArgumentError) else FAILED
