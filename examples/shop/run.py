"""Starts the shop: a web server, two workers, a scheduler and a mail server. Ctrl-C stops them."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox

from examples.shop.app import app
from examples.shop.models import create_tables, engine_on

HOST = "127.0.0.1"
APP = "examples.shop.app:app"
# Seconds for the work in progress after a stop, and until the processes are killed.
GRACE_S = 5
KILL_AFTER_S = 10
RESTART_AFTER_S = 0.5


def commands(port: int) -> dict[str, list[str]]:
    worker = ["honker", "worker", APP, "--concurrency", "2", "--grace", str(GRACE_S)]
    web = ["uvicorn", "examples.shop.web:web", "--host", HOST, "--port", str(port), "--log-level", "warning"]
    return {
        "web": [*web, "--timeout-graceful-shutdown", str(GRACE_S)],
        "worker 1": worker,
        "worker 2": worker,
        "scheduler": ["honker", "scheduler", APP],
    }


async def keep_running(name: str, command: list[str], stop: asyncio.Event) -> None:
    """Run a program until the stop, and start it again if it ends earlier."""
    while not stop.is_set():
        # A session of its own: Ctrl-C in the terminal is a signal to this process alone, which then stops the others.
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, start_new_session=True)
        print(f"{name}: process {process.pid}", flush=True)
        ended = asyncio.create_task(process.wait())
        if await first(ended, stop):
            print(f"{name}: ended with {ended.result()}, starting again", flush=True)
            await wait(stop, RESTART_AFTER_S)
            continue
        with suppress(ProcessLookupError):  # it may have ended by itself
            process.terminate()
            await asyncio.wait([ended], timeout=KILL_AFTER_S)
            if not ended.done():
                print(f"{name}: killed, it did not stop in {KILL_AFTER_S} s", flush=True)
                process.kill()
        await ended


async def first(ended: asyncio.Task[int], stop: asyncio.Event) -> bool:
    """Wait for the end of a process or the stop. Returns True if the process has ended by itself."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([ended, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    return ended.done() and not stop.is_set()


async def wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def announce(port: int, stop: asyncio.Event) -> None:
    """Print the address once the server answers."""
    while not stop.is_set():
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await wait(stop, 0.1)
            continue
        writer.close()
        print(f"the shop is open at http://{HOST}:{port}/ (Ctrl-C closes it)", flush=True)
        return


async def run(port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        for name, command in commands(port).items():
            group.create_task(keep_running(name, command, stop))
        group.create_task(announce(port, stop))
    print("the shop is closed", flush=True)


@contextmanager
def mail_server(folder: Path, port: int) -> Iterator[None]:
    """Run a mail server that keeps all mails in a folder, unless SMTP_URL names another server."""
    if "SMTP_URL" in os.environ:
        yield
        return
    check_port(port, "--smtp-port")
    server = Controller(Mailbox(folder), hostname=HOST, port=port)
    server.start()
    os.environ["SMTP_URL"] = f"smtp://{HOST}:{port}"
    print(f"mails are kept in {folder}", flush=True)
    try:
        yield
    finally:
        server.stop()


def check_port(port: int, option: str) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        sys.exit(f"port {port}: {os.strerror(error.errno)}; choose another one with {option}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.shop", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("shop-data"), help="for shop.db and mails (shop-data)")
    parser.add_argument("--port", type=int, default=8000, help="of the web server (8000)")
    parser.add_argument("--smtp-port", type=int, default=8025, help="of the mail server (8025)")
    options = parser.parse_args()
    check_port(options.port, "--port")
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["HONKER_DATABASE"] = str((options.folder / "shop.db").resolve())
    # Before all processes start, because two that create the same table at once disturb each other.
    create_tables()
    engine_on(app.path).dispose()
    with mail_server(options.folder / "mails", options.smtp_port):
        asyncio.run(run(options.port))
