"""``honker worker``: run tasks."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import click

from honker.cli.log import configure_logging, format_option, log_option
from honker.cli.memory import resident_bytes
from honker.cli.numbers import SecondsRange
from honker.cli.output import Output, bright, json_option, visible
from honker.cli.reload import run_reloading
from honker.cli.scheduler import Say, schedule, speaker
from honker.cli.signals import FAILED, leave_at_once, run_until_stopped
from honker.cli.target import METAVAR, open_target
from honker.database import Database
from honker.errors import NoTasksError
from honker.task.registry import TaskSpec
from honker.worker.ending import Ending
from honker.worker.hooks import hooks_around
from honker.worker.runner import GRACE_S, MAX_CONCURRENCY
from honker.worker.worker import Worker, run_together


@click.command(
    short_help="Run tasks.",
    epilog="""\b
Examples:
  honker worker shop.tasks:db
  honker worker shop.tasks:db --queue emails --queue invoices --concurrency 8
  honker worker shop.tasks:db --burst
  honker worker shop.tasks:db --reload --log-level debug
  honker worker shop.tasks:db --list

Ctrl-C or SIGTERM stops it: no more jobs are claimed, and running tasks have the grace period to end. A second signal
returns their jobs to the queue at once, a third kills the process. Interrupted jobs run again elsewhere. Exit codes:
0 stopped cleanly, 1 error, no tasks, a failed start hook or a stop hook that hangs, 2 usage error, 130 or 143 stopped
at once by a second SIGINT or SIGTERM.""",
)
@click.argument("target", metavar=METAVAR)
@click.option(
    "--queue", "queues", multiple=True, metavar="QUEUE", help="Run only this queue; may be repeated (default: all)."
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, MAX_CONCURRENCY),
    help="Tasks that run at once per queue (default: the number of processors).",
)
@click.option(
    "--grace",
    "grace_s",
    type=SecondsRange(min=0),
    default=GRACE_S,
    show_default=True,
    metavar="SECONDS",
    help="Seconds that running tasks have to end after the first signal, and then stop hooks.",
)
@click.option("--with-scheduler", is_flag=True, help="Run the scheduler in the same process.")
@click.option("--burst", is_flag=True, help="End once no task is due and none runs; tasks due later stay.")
@click.option("--max-jobs", type=click.IntRange(1), metavar="N", help="End after N attempts, of all queues together.")
@click.option(
    "--max-memory",
    "max_memory_mib",
    type=click.IntRange(1),
    metavar="MIB",
    help="End, after the running tasks, once the process uses more memory than this.",
)
@click.option(
    "--reload",
    "reloads",
    is_flag=True,
    help="For development: stop and start again when a Python file below the current directory changes.",
)
@click.option("--list", "is_list", is_flag=True, help="Print the tasks and their queues, and exit.")
@log_option
@format_option
@json_option
def worker(  # noqa: PLR0917 - click passes them by name
    target: str,
    queues: tuple[str, ...],
    concurrency: int | None,
    grace_s: float,
    with_scheduler: bool,
    burst: bool,
    max_jobs: int | None,
    max_memory_mib: int | None,
    reloads: bool,
    is_list: bool,
    log_level: str,
    log_format: str | None,
    is_json: bool,
) -> int:
    """Run the enqueued tasks of a database.

    MODULE:APP names a variable that holds a honker.App or a honker.Database. Importing the module registers its tasks;
    the current directory is searched too.
    """
    output = Output(is_json=is_json)
    say = speaker("worker", output)
    ends = burst or max_jobs is not None or max_memory_mib is not None
    if burst and with_scheduler:
        raise click.UsageError("--burst ends once nothing is due, and a scheduler never ends; leave one of them out")
    if reloads:
        if ends or is_list:
            raise click.UsageError("--reload goes with no option that ends the worker; leave one of them out")
        return run_reloading([each for each in sys.argv[1:] if each != "--reload"], say)
    db = open_target(target)
    db.registry.load()
    # The tasks of an app have no path, so their list opens nothing.
    identity = db.engine.identity if db.registry.is_shared else None
    specs = [spec for spec in db.registry.specs(identity) if not queues or spec.queue_name in queues]
    if is_list:
        _list(specs, output)
        return 0
    _check_queues(db, target, queues)
    configure_logging(log_level, is_json=is_json if log_format is None else log_format == "json")
    names = sorted({spec.queue_name for spec in specs})
    concurrency = concurrency or os.cpu_count() or 1
    max_bytes = None if max_memory_mib is None else max_memory_mib * 2**20
    ending = Ending(burst=burst, max_jobs=max_jobs, max_memory_bytes=max_bytes, used_bytes=resident_bytes)

    def on_stuck(hook: str) -> None:
        say("stuck", f"stop hook {hook} does not end; leaving without it", hook=hook)
        leave_at_once(FAILED)

    async def main(stop: asyncio.Event) -> None:
        async with hooks_around(db.registry, grace_s, stop, on_stuck):
            if not stop.is_set():
                _say_started(say, names, concurrency, len(specs))
                workers = [Worker(db.queue(name), concurrency=concurrency, grace_s=grace_s) for name in names]
                scheduling = schedule(db, stop, speaker("scheduler", output)) if with_scheduler else None
                await _together(_work(db, workers, stop, ending if ends else None), scheduling)
        if ends:
            _say_done(say, ending)
        say("stopped", "stopped cleanly")

    return run_until_stopped(
        main,
        lambda name: say("stopping", f"stopping ({name}); tasks have {grace_s:g} s to end", signal=name, grace=grace_s),
    )


async def _work(db: Database, workers: Sequence[Worker], stop: asyncio.Event, ending: Ending | None) -> None:
    await run_together(db, workers, stop, ending)
    stop.set()  # The end of all work is the end of a scheduler beside it.


def _list(specs: list[TaskSpec], output: Output) -> None:
    if not output.is_json:
        output.line("registered tasks:", {})
    for spec in sorted(specs, key=lambda spec: spec.name):
        record = {"name": spec.name, "queue": spec.queue_name, "schedule": spec.schedule and spec.schedule.expr}
        output.line(f"{bright(spec.name)}  queue={visible(spec.queue_name)}", record)


def _check_queues(db: Database, target: str, queues: tuple[str, ...]) -> None:
    """Reject queues without a task of the database.

    Raises:
        NoTasksError: There are no tasks, or none for one of the queues.
    """
    known = db.registry.queues(db.engine.identity)
    if not known:
        module, _, variable = target.partition(":")
        raise NoTasksError(
            f"no tasks are registered for {target}: {module} and what it imports define none; "
            f"decorate functions with @{variable}.task() there, or import the modules that do; "
            "a honker.App imports those of its imports=[...]"
        )
    for name in queues:
        if name not in known:
            raise NoTasksError(f"no task uses the queue {name!r}; the queues with tasks are {', '.join(sorted(known))}")


def _say_started(say: Say, queues: list[str], concurrency: int, task_count: int) -> None:
    facts = {"pid": os.getpid(), "queues": queues, "concurrency": concurrency, "tasks": task_count}
    shown = ",".join(map(visible, queues))
    say("started", f"pid={os.getpid()} queues={shown} concurrency={concurrency} tasks={task_count}", **facts)


def _say_done(say: Say, ending: Ending) -> None:
    counts = dict(sorted(ending.counts.items()))
    total = ending.counts.total()
    shown = ", ".join(f"{count} {word}" for word, count in counts.items())
    say("done", f"{total} attempt{'' if total == 1 else 's'}{shown and ': '}{shown}", attempts=total, outcomes=counts)


async def _together(work: Coroutine[Any, Any, None], scheduling: Coroutine[Any, Any, None] | None) -> None:
    """Run the workers and a scheduler concurrently. If one fails, the others are cancelled and return their jobs."""
    running = [asyncio.ensure_future(each) for each in (work, scheduling) if each is not None]
    try:
        await asyncio.gather(*running)
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
