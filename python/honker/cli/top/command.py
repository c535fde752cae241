"""The command ``honker top``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Generator
from dataclasses import replace

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.numbers import SecondsRange
from honker.cli.output import Output, json_option
from honker.cli.signals import run_until_signal
from honker.cli.top import screen
from honker.cli.top.frame import frame
from honker.cli.top.rates import Rates
from honker.cli.top.snapshot import Snapshot, take
from honker.database import Database


@click.command(
    short_help="Watch queues, running jobs and workers.",
    epilog="""\b
Examples:
  honker top shop.db
  honker top -i 5 shop.db
  honker top -n 1 shop.db > state.txt
  honker top --json shop.db | jq .rates.total

Ctrl-C or q ends it. In a pipe it prints plain frames one after another, and with --json an object for each frame.

The rates come from the counters of the file, over the last ten seconds, if `configure(counters=True)` has turned
them on. Otherwise they are the growth of the counted jobs between frames, and the line says so.

Exit codes: 0 q or -n, 1 error, 2 usage error, 130 Ctrl-C, 143 SIGTERM, 141 the output pipe was closed.""",
)
@click.option(
    "-i",
    "--interval",
    "interval_s",
    type=SecondsRange(min=0.1, max=86_400),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Time between two frames.",
)
@click.option("-n", "--frames", type=click.IntRange(min=1), metavar="N", help="End after N frames.")
@database_argument
@json_option
def top(path: str, interval_s: float, frames: int | None, is_json: bool) -> int:
    """Show the state of the database DB, refreshed until Ctrl-C."""
    output = Output(is_json=is_json)
    with open_existing(path) as db:
        return run_until_signal(lambda: _watch(db, path, interval_s, frames, output))


async def _watch(db: Database, title: str, interval_s: float, frames: int | None, output: Output) -> None:
    is_screen = sys.stdout.isatty() and not output.is_json
    with screen.entered() if is_screen else contextlib.nullcontext(), _events(reads_keys=is_screen) as events:
        rates = Rates()
        snapshot = await _look(db, title, rates)
        shown = 1
        while True:
            _show(snapshot, output, is_screen=is_screen)
            if shown == frames:
                return
            due = asyncio.get_running_loop().time() + interval_s
            while await events.wait_until(due):
                if events.is_over:
                    return
                if is_screen:
                    _show(snapshot, output, is_screen=True)  # in the new size
            snapshot = await _look(db, title, rates)
            shown += 1


async def _look(db: Database, title: str, rates: Rates) -> Snapshot:
    snapshot = await take(db, title, is_first=rates.is_empty)
    return replace(snapshot, speed=rates.add(snapshot))


def _show(snapshot: Snapshot, output: Output, *, is_screen: bool) -> None:
    if output.is_json:
        output.line("", snapshot.as_record())
        return
    columns, lines = screen.size()
    drawn = frame(snapshot, columns, lines if is_screen else None)
    if is_screen:
        screen.draw(drawn)
        return
    for line in [*drawn, ""]:
        output.line(line, {})


class _Events:
    """Changes of the size of the terminal, and keys.

    Attributes:
        is_over: True once the key q was pressed.
    """

    def __init__(self) -> None:
        self.is_over = False
        self._happened = asyncio.Event()

    def resize(self) -> None:
        """Note a new size."""
        self._happened.set()

    def press(self) -> None:
        """Read the keys that were pressed."""
        keys = os.read(sys.stdin.fileno(), 64)
        if keys and b"q" in keys.lower():
            self.is_over = True
            self._happened.set()
        elif not keys:  # the terminal is gone
            asyncio.get_running_loop().remove_reader(sys.stdin)

    async def wait_until(self, due: float) -> bool:
        """Wait for an event or a time of the loop. True if an event came."""
        left_s = due - asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(self._happened.wait(), max(0.0, left_s))
        except TimeoutError:
            return False
        self._happened.clear()
        return True


@contextlib.contextmanager
def _events(*, reads_keys: bool) -> Generator[_Events]:
    loop, events = asyncio.get_running_loop(), _Events()
    loop.add_signal_handler(signal.SIGWINCH, events.resize)
    reads_keys = reads_keys and sys.stdin.isatty()
    if reads_keys:
        loop.add_reader(sys.stdin, events.press)
    try:
        yield events
    finally:
        if reads_keys:
            loop.remove_reader(sys.stdin)
        loop.remove_signal_handler(signal.SIGWINCH)
