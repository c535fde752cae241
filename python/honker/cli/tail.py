"""``honker tail``: print the events of a stream."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.output import Output, bright, faint, json_option, local_time, notice, payload_text, visible
from honker.cli.signals import run_until_signal
from honker.database import Database
from honker.engine import FALLBACK_POLL_S
from honker.stream.event import Event
from honker.stream.log_reader import BATCH
from honker.stream.stream import Stream

# A moment after every event: the largest `datetime`.
_END_OF_TIME: Final = 253402300799


@click.command(
    short_help="Print the events of a stream.",
    epilog="""\b
Examples:
  honker tail shop.db orders
  honker tail shop.db orders --from-start --no-follow --json > orders.jsonl
  honker tail shop.db orders --consumer audit

Exit codes: 0 the end was reached (--limit, --no-follow), 1 error, 2 usage error, 130 Ctrl-C, 143 SIGTERM,
141 the output pipe was closed.""",
)
@database_argument
@click.argument("topic")
@click.option("--from-start", is_flag=True, help="Begin with the first event.")
@click.option("--from", "from_offset", type=click.IntRange(min=0), metavar="OFFSET", help="Begin after this offset.")
@click.option(
    "--consumer",
    metavar="NAME",
    help="Begin after this consumer's saved offset, and save its progress.",
)
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Exit after N events.")
@click.option(
    "--follow/--no-follow", "follows", default=True, help="Wait for more events (default), or exit at the end."
)
@json_option
def tail(  # noqa: PLR0917 - click passes them by name
    path: str,
    topic: str,
    from_start: bool,
    from_offset: int | None,
    consumer: str | None,
    limit: int | None,
    follows: bool,
    is_json: bool,
) -> int:
    """Print the events of TOPIC of the database DB, until Ctrl-C.

    Each line has the offset, the time, the key and the payload as JSON. Without a start option, only new events are
    printed; with --no-follow, all existing events.
    """
    if from_start and from_offset is not None:
        raise click.UsageError("--from-start and --from exclude each other; give one of them")
    with open_existing(path) as db:
        reading = _Reading(db.stream(topic), consumer, Output(is_json=is_json), limit)
        if from_start or from_offset is not None:
            reading.offset = from_offset or 0
        elif consumer is not None:
            reading.offset = reading.stream.get_offset(consumer)
        elif follows:
            reading.offset = _last_offset(reading.stream)
        return run_until_signal(lambda: _follow(db, reading) if follows else _read_to_the_end(reading))


def _last_offset(stream: Stream) -> int:
    return stream.offset_at(_END_OF_TIME)


@dataclass
class _Reading:
    """The progress of printing a stream."""

    stream: Stream
    consumer: str | None
    output: Output
    limit: int | None
    offset: int = 0
    count: int = 0

    @property
    def is_over(self) -> bool:
        return self.count == self.limit

    async def print_batch(self, until: int | None = None) -> int:
        """Print the next events, at most up to an offset, save the progress, and return their number."""
        before = self.count
        left = BATCH if self.limit is None else min(BATCH, self.limit - self.count)
        try:
            for event in self.stream.read_since(self.offset, left):
                if until is not None and event.offset > until:
                    break
                _print_one(event, self.output)
                self.offset = event.offset
                self.count += 1
                # Yields to the event loop, so that a long backlog does not delay a signal.
                await asyncio.sleep(0)
        finally:
            # A printed event is not printed again, even if printing the next one fails.
            if self.consumer is not None and self.count > before:
                self.stream.save_offset(self.consumer, self.offset)
        return self.count - before


async def _read_to_the_end(reading: _Reading) -> None:
    # The end at this moment: with a constant publisher the stream has no other end.
    end = _last_offset(reading.stream)
    while not reading.is_over and await reading.print_batch(end):
        pass


async def _follow(db: Database, reading: _Reading) -> None:
    updates = db.update_events()
    try:
        notice(f"honker tail: waiting for events of {visible(reading.stream.name)} after offset {reading.offset}")
        while not reading.is_over:
            if not await reading.print_batch():
                await updates.wait_async(FALLBACK_POLL_S)
    finally:
        updates.close()


def _print_one(event: Event, output: Output) -> None:
    payload = _payload(event)
    shown = (
        bright(str(event.offset)),
        faint(local_time(event.created_at)),
        "-" if event.key is None else visible(event.key),
        payload_text(payload),
    )
    output.line(
        "  ".join(shown),
        {
            "offset": event.offset,
            "topic": event.topic,
            "key": event.key,
            "payload": payload,
            "created_at": event.created_at,
        },
    )


def _payload(event: Event) -> Any:
    """The published value; text that is not JSON, which SQL can publish, is returned unchanged."""
    try:
        return event.payload
    except json.JSONDecodeError as error:
        return error.doc
