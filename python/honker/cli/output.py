"""Output of commands: coloured on a terminal, plain in a pipe, or one JSON object per line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

#: The option ``--json``, the same for every command.
json_option = click.option("--json", "is_json", is_flag=True, help="Print one JSON object per line, flushed at once.")


class ReaderGone(Exception):
    """The output pipe was closed by its reader. Not an `OSError`, for which click would end the process."""


class OutputError(click.ClickException):
    """The output cannot be written, as on a full disk."""


class Output:
    """A printer of lines, as text for people or as JSON for programs. Each line is flushed at once.

    Attributes:
        is_json: True if it prints JSON.
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json

    def line(self, text: str, record: Mapping[str, Any]) -> None:
        """Print ``text``, or ``record`` in JSON mode.

        Raises:
            ReaderGone: The output pipe was closed.
        """
        _echo(self.json_text(record) if self.is_json else text)

    @staticmethod
    def json_text(value: Any) -> str:
        """The JSON text of a record."""
        return json.dumps(value)


def notice(text: str) -> None:
    """Print a message that is not a result, on standard error."""
    _echo(text, err=True)


def _echo(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "utf-8"
    # A lone surrogate, or a character outside the terminal's encoding, must not end a command.
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        click.echo(text, err=err, color=False if wants_no_colour() else None)
    except BrokenPipeError as error:
        # At its exit, the interpreter would flush the rest of the output and report the error again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise ReaderGone from error
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise OutputError(f"the output cannot be written: {error.strerror}") from error


def wants_no_colour() -> bool:
    """True if colours are off; see https://no-color.org. Otherwise click colours terminals only."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def faint(text: str) -> str:
    """Dim secondary text, such as a time."""
    return click.style(text, dim=True)


def bright(text: str) -> str:
    """Highlight primary text, such as a name."""
    return click.style(visible(text), fg="cyan")


def visible(text: str) -> str:
    """Escape control characters as JSON does: stored text must not move the cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def payload_text(payload: Any) -> str:
    """Format a payload as JSON for people, with letters of every alphabet unescaped."""
    return visible(json.dumps(payload, ensure_ascii=False))


def local_time(unix: float) -> str:
    """Unix seconds as local time, with milliseconds if there are any."""
    try:
        precision = "milliseconds" if unix % 1 else "seconds"
        return datetime.fromtimestamp(unix).isoformat(sep=" ", timespec=precision)
    except (ValueError, OverflowError, OSError):
        return str(unix)
