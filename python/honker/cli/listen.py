"""``honker listen``: print notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import ExitStack, aclosing

import click

from honker.cli.database_file import database_argument, open_existing
from honker.cli.output import Output, bright, faint, json_option, local_time, notice, payload_text, visible
from honker.cli.signals import run_until_signal
from honker.database import Database
from honker.stream.notifications import Listener, Notification


@click.command(
    short_help="Print notifications as they are sent.",
    epilog="""\b
Examples:
  honker listen shop.db orders
  honker listen shop.db orders payments --json | jq .payload

Exit codes: 0 --limit was reached, 1 error, 2 usage error, 130 Ctrl-C, 143 SIGTERM, 141 the output pipe was
closed.""",
)
@database_argument
@click.argument("channels", metavar="CHANNEL...", nargs=-1, required=True)
@click.option("-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Exit after N notifications.")
@json_option
def listen(path: str, channels: tuple[str, ...], limit: int | None, is_json: bool) -> int:
    """Print new notifications on the CHANNELs of the database DB, until Ctrl-C.

    Each line has the time, the channel and the payload as JSON.
    """
    output = Output(is_json=is_json)
    with open_existing(path) as db:
        return run_until_signal(lambda: _print(db, channels, limit, output))


async def _print(db: Database, channels: Sequence[str], limit: int | None, output: Output) -> None:
    with ExitStack() as stack:
        listeners = [db.listen(channel) for channel in dict.fromkeys(channels)]
        for listener in listeners:
            stack.callback(listener.close)
        notice(f"honker listen: waiting for notifications on {', '.join(map(visible, channels))}")
        count = 0
        async with aclosing(_merged(listeners)) as notifications:
            async for notification in notifications:
                _print_one(notification, output)
                count += 1
                if count == limit:
                    return


def _print_one(notification: Notification, output: Output) -> None:
    payload = notification.payload
    output.line(
        f"{faint(local_time(notification.created_at))}  {bright(notification.channel)}  {payload_text(payload)}",
        {
            "id": notification.id,
            "channel": notification.channel,
            "payload": payload,
            "created_at": notification.created_at,
        },
    )


async def _merged(listeners: Sequence[Listener]) -> AsyncGenerator[Notification]:
    """Merge the notifications of several listeners; those already received are in the order of sending."""
    coming = {listener: asyncio.ensure_future(anext(listener)) for listener in listeners}
    try:
        while True:
            # Yields to the event loop each time, so that a long backlog does not delay a signal.
            done, _ = await asyncio.wait(coming.values(), return_when=asyncio.FIRST_COMPLETED)
            heard = {listener: each.result() for listener, each in coming.items() if each in done}
            first = min(heard, key=lambda listener: heard[listener].id)
            coming[first] = asyncio.ensure_future(anext(first))
            yield heard[first]
    finally:
        for each in coming.values():
            each.cancel()
        await asyncio.gather(*coming.values(), return_exceptions=True)
