"""The terminal of a program that redraws it: entered, drawn, and left as it was."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections.abc import Generator, Sequence
from typing import Final

import click

from honker.cli.output import ReaderGone, wants_no_colour

_ENTER: Final = "\x1b[?1049h\x1b[?25l"  # the other screen, which keeps the scrollback, and no cursor
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_REST_OF_LINE: Final = "\x1b[K"
_REST_OF_SCREEN: Final = "\x1b[J"

#: Used if a terminal does not tell its size, as columns and lines.
_ORDINARY_SIZE: Final = (80, 24)


@contextlib.contextmanager
def entered() -> Generator[None]:
    """Draw on the other screen of the terminal for the length of the block; keys are not echoed."""
    before = termios.tcgetattr(sys.stdin) if sys.stdin.isatty() else None
    if before is not None:
        tty.setcbreak(sys.stdin, termios.TCSADRAIN)
    _write(_ENTER)
    try:
        yield
    finally:
        with contextlib.suppress(ReaderGone):
            _write(_LEAVE)
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def size() -> tuple[int, int]:
    """The present columns and lines of the terminal."""
    try:
        columns, lines = os.get_terminal_size(sys.stdout.fileno())
    except OSError:
        return _ORDINARY_SIZE
    # A pseudo-terminal that has never been told has neither.
    return columns or _ORDINARY_SIZE[0], lines or _ORDINARY_SIZE[1]


def draw(lines: Sequence[str]) -> None:
    """Replace the screen by lines that fit it, in one write, so that it does not flicker."""
    if wants_no_colour():
        lines = [click.unstyle(line) for line in lines]
    _write(_HOME + "\r\n".join(line + _REST_OF_LINE for line in lines) + _REST_OF_SCREEN)


def _write(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except OSError as error:  # the terminal was closed
        raise ReaderGone from error
