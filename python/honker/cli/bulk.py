"""``honker requeue``, ``run-now``, ``cancel`` and ``discard``: verbs for given jobs, or for all that match a filter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.filters import count_matching, filter_options, is_given, since_of
from honker.cli.operating import warn_of_unknown_queue
from honker.cli.output import Output, bright, json_option, notice
from honker.cli.table import count
from honker.database import Database
from honker.inspection import Applied, Verb

#: Jobs that are counted before the question, at most.
_COUNTED: Final = 10_000
#: Jobs between two lines of progress.
_STEP: Final = 10_000


@dataclass(frozen=True)
class _Kind:
    """A verb of the command line.

    Attributes:
        verb: The verb of `Database.apply`.
        past: Its past participle, for messages.
        states: The states of jobs that it applies to.
        asks: True if it asks before it changes given jobs, too: the change cannot be undone.
    """

    verb: Verb
    past: str
    states: tuple[str, ...]
    asks: bool = False


_REQUEUE: Final = _Kind("requeue", "requeued", ("dead",))
_DISCARD: Final = _Kind("delete", "discarded", ("dead", "done", "cancelled"), asks=True)
_RUN_NOW: Final = _Kind("run_now", "made due", ("delayed",))
_CANCEL: Final = _Kind("cancel", "cancelled", ("ready", "delayed", "running", "blocked", "waiting"))

_EXIT_CODES: Final = "Exit codes: 0 done, 1 a job was passed over, or not confirmed, or database error, 2 usage error."


def _bulk_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments and options of a verb."""
    for option in (
        json_option,
        click.option("--dry-run", is_flag=True, help="Print the number of jobs, and change nothing."),
        click.option("-y", "--yes", is_flag=True, help="Do not ask."),
        click.option(
            "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Change at most N jobs, with --all."
        ),
        filter_options,
        click.option("--all", "is_all", is_flag=True, help="Change every job that matches the filters."),
        click.argument("ids", metavar="[ID]...", type=int, nargs=-1),
        database_argument,
    ):
        command = option(command)
    return command


@click.command(
    short_help="Give dead letters another try.",
    epilog=f"""\b
Examples:
  honker requeue shop.db 17 18
  honker requeue shop.db --all --queue emails --error TimeoutError --dry-run
  honker requeue shop.db --all --queue emails --error TimeoutError --yes

{_EXIT_CODES}""",
)
@_bulk_options
def requeue(path: str, ids: tuple[int, ...], **options: Any) -> int:
    """Return dead letters of the database DB to the waiting jobs, with all their attempts.

    Name the jobs, or all that match by --all and filters. With --all it prints their number and asks.
    """
    return _run(_REQUEUE, path, ids, **options)


@click.command(
    "run-now",
    short_help="Make delayed jobs due.",
    epilog=f"""\b
Examples:
  honker run-now shop.db 17 18
  honker run-now shop.db --all --queue emails --dry-run
  honker run-now shop.db --all --queue emails --task shop.tasks.send_email --yes

{_EXIT_CODES}""",
)
@_bulk_options
def run_now(path: str, ids: tuple[int, ...], **options: Any) -> int:
    """Make delayed jobs of the database DB due, also those that wait for their next attempt.

    Limits, pauses and parents still hold. Name the jobs, or all that match by --all and filters. With --all it prints
    their number and asks.
    """
    return _run(_RUN_NOW, path, ids, **options)


@click.command(
    short_help="Delete dead letters and finished jobs.",
    epilog=f"""\b
Examples:
  honker discard shop.db 17
  honker discard shop.db --all --state dead --queue emails --since 7d
  honker discard shop.db --all --task shop.tasks.obsolete --yes

{_EXIT_CODES}""",
)
@_bulk_options
def discard(path: str, ids: tuple[int, ...], **options: Any) -> int:
    """Delete dead letters and finished jobs of the database DB, for good. Prints their number and asks.

    Name the jobs, or all that match by --all and filters.
    """
    return _run(_DISCARD, path, ids, **options)


@click.command(
    short_help="Remove jobs, or ask running ones to end.",
    epilog="""\b
Examples:
  honker cancel shop.db 17
  honker cancel shop.db 17 18 --queue emails
  honker cancel shop.db --all --queue emails --state delayed

Exit codes: 0 all found, 1 a job is gone, or not confirmed, or database error, 2 usage error.""",
)
@_bulk_options
def cancel(path: str, ids: tuple[int, ...], **options: Any) -> int:
    """Remove waiting jobs of the database DB, and ask the workers of running ones to end them.

    For each given ID it prints "cancelled" for a job that waited, "requested" for a running one, and "gone" for one
    that has ended, such as a dead letter, or does not exist. With --all and filters it prints the number of jobs and
    asks.
    """
    if not ids or options["is_all"] or options["dry_run"]:
        return _run(_CANCEL, path, ids, **options)
    return _cancel_each(path, ids, **options)


def _cancel_each(path: str, ids: tuple[int, ...], **options: Any) -> int:
    name: str | None = options["queue"]
    _check(ids, options, with_ids=("queue",))
    output = Output(is_json=options["is_json"])
    is_any_gone = False
    with open_existing(path) as db:
        if name is not None:
            warn_of_unknown_queue(db, name)
        for job_id in ids:
            outcome = db.request_cancel(job_id) if name is None else db.queue(name).request_cancel(job_id)
            is_any_gone = is_any_gone or outcome == "gone"
            output.line(f"{job_id}  {outcome}", {"id": job_id, "outcome": outcome})
    return int(is_any_gone)


_FILTERS: Final = ("queue", "state", "task", "key", "workflow", "error", "since", "args")


def _check(ids: tuple[int, ...], options: dict[str, Any], with_ids: tuple[str, ...] = ()) -> None:
    """Refuse a selection that is empty or ambiguous.

    Raises:
        click.UsageError: It is.
    """
    filters = {name: options[name] for name in _FILTERS}
    others = {name: value for name, value in filters.items() if name not in with_ids}
    if options["is_all"] and ids:
        raise click.UsageError(f"{len(ids)} IDs and --all exclude each other; give one of them")
    if not options["is_all"] and not ids:
        what = "the filters need --all" if is_given(filters) else "no jobs are named"
        raise click.UsageError(f"{what}; give IDs, or --all with filters such as --queue NAME")
    if ids and (is_given(others) or options["limit"] is not None):
        raise click.UsageError("filters and --limit go with --all; leave them out beside IDs")


def _run(kind: _Kind, path: str, ids: tuple[int, ...], **options: Any) -> int:
    _check(ids, options, with_ids=("queue",))
    state: str | None = options["state"]
    if state is not None and state not in kind.states:
        raise click.BadParameter(
            f"{state!r} jobs cannot be {kind.past}; name one of {', '.join(kind.states)}", param_hint="--state"
        )
    output = Output(is_json=options["is_json"])
    filters: dict[str, Any] = {name: options[name] for name in _FILTERS}
    if ids:
        filters["ids"] = list(dict.fromkeys(ids))
    with open_existing(path) as db:
        if filters["queue"] is not None:
            warn_of_unknown_queue(db, filters["queue"])
        filters["since"] = since_of(filters["since"])
        found, is_exact = _count(db, kind, filters, options["limit"])
        if options["dry_run"]:
            record = {"verb": kind.verb, "matching": found, "is_exact": is_exact, "is_dry_run": True}
            output.line(f"{count(found, is_exact=is_exact)} jobs would be {kind.past}", record)
            return 0
        if (options["is_all"] or kind.asks) and not options["yes"]:
            _ask(f"{count(found, is_exact=is_exact)} jobs will be {kind.past}. Go on?")
        progress = _Progress()
        try:
            applied = db.apply(kind.verb, **filters, limit=options["limit"], on_progress=progress.tell)
        except BaseException:
            notice(f"honker: ended early; {progress.done:,} jobs are {kind.past}, and stay so")
            raise
    _print(kind, applied, output)
    return int(bool(ids) and applied.skipped > 0)


def _count(db: Database, kind: _Kind, filters: dict[str, Any], limit: int | None) -> tuple[int, bool]:
    if "ids" in filters:
        chunks = [filters["ids"][first : first + 1_000] for first in range(0, len(filters["ids"]), 1_000)]
        counted = [count_matching(db, {**filters, "ids": each}, kind.states, len(each) + 1)[0] for each in chunks]
        return sum(counted), True
    states = kind.states if filters["state"] is None else (filters["state"],)
    found, is_exact = count_matching(db, filters, states, _COUNTED)
    return (limit, True) if limit is not None and found >= limit else (found, is_exact)


def _ask(question: str) -> None:
    """Ask on the terminal.

    Raises:
        click.ClickException: The answer is no, or there is none.
    """
    try:
        is_wanted = click.confirm(question, err=True)
    except click.Abort as error:
        if sys.stdin.isatty():
            raise  # Ctrl-C
        raise click.ClickException("nothing was changed: there is no terminal to ask; pass --yes") from error
    if not is_wanted:
        raise click.ClickException("nothing was changed")


class _Progress:
    """The progress of a long operation, printed on standard error.

    Attributes:
        done: The number of jobs that are changed so far.
    """

    def __init__(self) -> None:
        self.done = 0
        self._told = 0

    def tell(self, done: int, skipped: int) -> None:
        """Take the numbers after a batch."""
        self.done = done
        if done + skipped >= self._told + _STEP:
            self._told = done + skipped
            notice(f"honker: {self._told:,} jobs seen")


def _print(kind: _Kind, applied: Applied, output: Output) -> None:
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in applied.reasons.items())
    text = f"{bright(f'{applied.done:,}')} {kind.past}" + (f"; passed over: {reasons}" if reasons else "")
    output.line(text, {"verb": kind.verb, **applied})
