"""What a command prints: for people on a terminal, plain in a pipe, or as one JSON object per line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

#: The option ``--json``, the same for every command.
json_option = click.option(
    "--json", "is_json", is_flag=True, help="Print one JSON object per line, written out at once."
)


class ReaderGone(Exception):
    """Who read the output has closed the pipe. Not an `OSError`, which click would end the process for."""


class Output:
    """Prints lines, each written out at once, to be read by people or, as JSON, by programs.

    Attributes:
        is_json: Whether it prints JSON.
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json

    def line(self, text: str, record: Mapping[str, Any]) -> None:
        """Print ``text``, or in its place ``record`` as JSON.

        Raises:
            ReaderGone: Nobody reads it any more.
        """
        _echo(json.dumps(record) if self.is_json else text)


def notice(text: str) -> None:
    """Tell people something that is no result, on standard error."""
    _echo(text, err=True)


def _echo(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "utf-8"
    # A lone surrogate, or a terminal that does not know a letter, must not end a command.
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        click.echo(text, err=err, color=False if _wants_no_colour() else None)
    except BrokenPipeError as error:
        # The interpreter would flush what is left at its end, and complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise ReaderGone from error


def _wants_no_colour() -> bool:
    """See https://no-color.org; None as the colour leaves it to click, which colours terminals only."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def faint(text: str) -> str:
    """What is beside the point, such as a time."""
    return click.style(text, dim=True)


def bright(text: str) -> str:
    """What the eye looks for, such as a name."""
    return click.style(visible(text), fg="cyan")


def visible(text: str) -> str:
    """Text with control characters written as JSON would: what others have stored must not move the cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def payload_text(payload: Any) -> str:
    """A payload as JSON for people: letters of every alphabet as they are."""
    return visible(json.dumps(payload, ensure_ascii=False))


def local_time(unix: float) -> str:
    """Unix seconds as local time, with milliseconds if there are any."""
    try:
        precision = "milliseconds" if unix % 1 else "seconds"
        return datetime.fromtimestamp(unix).isoformat(sep=" ", timespec=precision)
    except (ValueError, OverflowError, OSError):
        return str(unix)
