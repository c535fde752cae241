"""``honker queue``, ``limits``, ``pause`` and ``resume``: settings and interventions of an operator."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.moments import read_moment
from honker.cli.output import Output, bright, json_option, notice, visible
from honker.database import Database
from honker.inspection.queue_names import unknown_queue
from honker.queue.settings import UNSET, Unset

#: The word that removes a setting.
_NONE: Final = "none"

#: The settings that `limits` prints, in order.
_LIMITS: Final = ("concurrency", "concurrency_per_key", "rate", "rate_per_key", "burst")

_EXIT_CODES: Final = "Exit codes: 0 done, 1 database error, 2 usage error."


def _read_number(ctx: click.Context, param: click.Parameter, text: str | None) -> float | Unset | None:
    """Parse a number, or the word that removes a setting."""
    if text is None:
        return UNSET
    if text == _NONE:
        return None
    try:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is neither a number nor {_NONE!r}") from error
    return int(number) if number.is_integer() else number


def _read_rate(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, float] | Unset | None:
    """Parse a rate such as ``100/60``, or the word that removes it."""
    if text is None:
        return UNSET
    if text == _NONE:
        return None
    limit, _, per_s = text.partition("/")
    try:
        rate = int(limit), float(per_s or 1)
        if not math.isfinite(rate[1]):
            raise ValueError(text)
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r} is neither a number of starts and seconds, as in 100/60, nor {_NONE!r}"
        ) from error
    return rate


def _limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of the settings in `_LIMITS`, in order."""
    for option in reversed(
        (
            click.option(
                "--concurrency", callback=_read_number, metavar="N", help="Jobs in flight, over all processes."
            ),
            click.option(
                "--concurrency-per-key",
                "--per-key",
                "concurrency_per_key",
                callback=_read_number,
                metavar="N",
                help="The same for the jobs of one key.",
            ),
            click.option(
                "--rate", callback=_read_rate, metavar="N/SECONDS", help="Starts in a span, over all processes."
            ),
            click.option(
                "--rate-per-key", callback=_read_rate, metavar="N/SECONDS", help="The same for the jobs of one key."
            ),
            click.option(
                "--burst",
                callback=_read_number,
                metavar="N",
                help="Starts that may come at once, beside a rate (default: 1).",
            ),
        )
    ):
        command = option(command)
    return command


@click.group(
    short_help="Show or change the settings of a queue.",
    epilog=f"""\b
Examples:
  honker queue show shop.db emails
  honker queue configure shop.db emails --concurrency 3 --rate 100/60

{_EXIT_CODES}""",
)
def queue() -> None:
    """Show or change the settings of a queue, which every process obeys."""


@queue.command(
    short_help="Show the settings of a queue.",
    epilog=f"""\b
Examples:
  honker queue show shop.db emails

{_EXIT_CODES}""",
)
@database_argument
@click.argument("name", metavar="QUEUE")
@json_option
def show(path: str, name: str, is_json: bool) -> None:
    """Print the settings of QUEUE of the database DB, one per line."""
    with open_existing(path) as db:
        warn_of_unknown_queue(db, name)
        _print_settings(name, db.queue(name).settings(), is_json)


@queue.command(
    short_help="Change settings of a queue.",
    epilog=f"""\b
Examples:
  honker queue configure shop.db emails --concurrency 3 --rate 100/60
  honker queue configure shop.db emails --rate none
  honker queue configure shop.db reports --ordered --on-dead continue

{_EXIT_CODES}""",
)
@database_argument
@click.argument("name", metavar="QUEUE")
@_limit_options
@click.option(
    "--ordered/--unordered", "ordered", default=None, help="Run one job of a key at a time, in the order of ids."
)
@click.option(
    "--on-dead",
    type=click.Choice(["block", "continue", _NONE]),
    help="In an ordered queue: a dead letter holds up the jobs of its key (block, the default), or does not.",
)
@click.option(
    "--keep-finished", "keep_finished_s", callback=_read_number, metavar="SECONDS", help="Keep finished jobs so long."
)
@click.option("--only-unset", is_flag=True, help="Leave settings alone that have a value or were removed.")
@json_option
def configure(path: str, name: str, only_unset: bool, is_json: bool, **given: Any) -> None:
    """Change settings of QUEUE of the database DB and print all of them. The value "none" removes a setting."""
    ordered, on_dead = given["ordered"], given["on_dead"]
    given["ordered"] = UNSET if ordered is None else ordered
    given["on_dead"] = UNSET if on_dead is None else None if on_dead == _NONE else on_dead
    with open_existing(path, makes_app_file=True) as db:
        warn_of_unknown_queue(db, name)
        _print_settings(name, db.queue(name).configure(**given, only_unset=only_unset), is_json)


@click.command(
    short_help="Show or set the limits of a queue.",
    epilog=f"""\b
Examples:
  honker limits shop.db emails
  honker limits shop.db emails --concurrency 3 --per-key 1 --rate 100/60
  honker limits shop.db emails --rate none

{_EXIT_CODES}""",
)
@database_argument
@click.argument("name", metavar="QUEUE")
@_limit_options
@json_option
def limits(path: str, name: str, is_json: bool, **given: Any) -> None:
    """Print the limits of QUEUE of the database DB, after setting those that are given. "none" removes one."""
    is_change = any(value is not UNSET for value in given.values())
    with open_existing(path, makes_app_file=is_change) as db:
        warn_of_unknown_queue(db, name)
        jobs = db.queue(name)
        settings = jobs.configure(**given) if is_change else jobs.settings()
    _print_settings(name, {each: settings[each] for each in _LIMITS}, is_json)


def _print_settings(name: str, settings: Mapping[str, Any], is_json: bool) -> None:
    output = Output(is_json=is_json)
    if is_json:
        output.line("", {"queue": name, **settings})
        return
    width = max(map(len, settings))
    shown = dict(settings) | {each: _rate(settings[each]) for each in ("rate", "rate_per_key")}
    for setting, value in shown.items():
        output.line(f"{setting:<{width}}  {bright(_shown(value))}", {})


def _rate(rate: tuple[int, float] | None) -> str | None:
    return None if rate is None else f"{rate[0]} per {rate[1]:g} s"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


@click.command(
    short_help="Stop claims from a queue or of a key.",
    epilog=f"""\b
Examples:
  honker pause shop.db emails --reason "mail server is down"
  honker pause shop.db emails --until 2026-12-24T18:00:00+01:00
  honker pause shop.db reports --key acme

{_EXIT_CODES}""",
)
@database_argument
@click.argument("name", metavar="QUEUE")
@click.option("--key", metavar="KEY", help="Pause the jobs of this key only.")
@click.option(
    "--until",
    callback=read_moment,
    metavar="MOMENT",
    help="End the pause then: Unix seconds, or 2026-12-24T18:00:00+01:00 (local without a zone).",
)
@click.option("--reason", metavar="TEXT", help="Shown with the pause, at most 1,000 bytes.")
@json_option
def pause(  # noqa: PLR0917 - click passes them by name
    path: str, name: str, key: str | None, until: Any, reason: str | None, is_json: bool
) -> None:
    """Stop claims from QUEUE of the database DB until `honker resume`. Running jobs finish; jobs can be added."""
    with open_existing(path, makes_app_file=True) as db:
        warn_of_unknown_queue(db, name)
        jobs = db.queue(name)
        if key is None:
            was_running = jobs.pause(until=until, reason=reason)
        else:
            was_running = jobs.pause_key(key, until=until, reason=reason)
    text = "paused" if was_running else "was paused; its end and reason are changed"
    record = {"queue": name, "key": key, "was_paused": not was_running}
    Output(is_json=is_json).line(f"{_title(name, key)} {text}", record)


@click.command(
    short_help="Allow claims again.",
    epilog=f"""\b
Examples:
  honker resume shop.db emails
  honker resume shop.db reports --key acme

{_EXIT_CODES}""",
)
@database_argument
@click.argument("name", metavar="QUEUE")
@click.option("--key", metavar="KEY", help="Resume the jobs of this key.")
@json_option
def resume(path: str, name: str, key: str | None, is_json: bool) -> None:
    """Allow claims from QUEUE of the database DB again, or of one of its keys."""
    with open_existing(path) as db:
        warn_of_unknown_queue(db, name)
        jobs = db.queue(name)
        was_paused = jobs.resume() if key is None else jobs.resume_key(key)
    text = "resumed" if was_paused else "was not paused"
    record = {"queue": name, "key": key, "was_paused": was_paused}
    Output(is_json=is_json).line(f"{_title(name, key)} {text}", record)


def warn_of_unknown_queue(db: Database, name: str) -> None:
    """Print a notice if nothing uses a queue, whose name may be mistyped. The command goes on."""
    hint = unknown_queue(db, name)
    if hint is not None:
        notice(f"honker: {visible(hint)}")


def _title(name: str, key: str | None) -> str:
    return bright(name) if key is None else f"{bright(name)} key {visible(key)}"
