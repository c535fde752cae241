"""The demo of ``honker try``: orders whose e-mails are sent by two worker processes."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from honker.database import open
from honker.errors import HonkerError

#: The program that is printed, imported and run.
SOURCE: Final = """\
import os, time
import honker

app = honker.App()  # the database is the URL in HONKER_DATABASE

@app.task(queue="emails", store_result=True)
def send_email(order):
    began = {"process": os.getpid(), "at": time.time()}
    time.sleep(0.02)  # the mail server takes its time
    return began

def place_order(order):
    with app.db.transaction() as tx:  # both, or neither
        tx.execute("INSERT INTO orders (id) VALUES (%s)", [order])
        return send_email.enqueue_with(tx=tx)(order)
"""
_WORKERS: Final = 2
_ORDERS: Final = 10
_WAIT_S: Final = 60.0


def run_demo(url: str, folder: Path, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Place orders and wait for their e-mails.

    Args:
        url: The database, with the schema.
        folder: The folder of the program.
        say: Called with each line to print.

    Returns:
        For each order: its number, the process that sent its e-mail, and the milliseconds from the begin of its
        transaction to the start of the task.

    Raises:
        HonkerError: The workers do not start, or an e-mail is not sent in time.
    """
    (folder / "shop.py").write_text(SOURCE, "utf-8")
    environment = {**os.environ, "HONKER_DATABASE": url}
    first = _prepare(url)
    with _workers(folder, environment), _shop(folder, url) as shop:
        _wait_for_workers(shop)
        say(f"{_WORKERS} worker processes wait. Each order is a row and a job in one transaction:")
        pairs = [_place(shop, range(number, number + _WORKERS)) for number in range(first, first + _ORDERS, _WORKERS)]
        sent = [order for pair in pairs for order in pair]
        for each in sent:
            say(f"  order {each['order']}: process {each['process']} took it {each['ms']:.1f} ms after it was placed")
    return sent


def _prepare(url: str) -> int:
    """Make the table of orders; return the number of the next one."""
    with open(url) as db:
        with db.transaction() as tx:
            tx.execute("CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY)")
        return int(db.query("SELECT coalesce(max(id), 0) + 1 AS next FROM orders")[0]["next"])


@contextmanager
def _shop(folder: Path, url: str) -> Generator[Any]:
    """The module of the program, whose app uses the database."""
    spec = importlib.util.spec_from_file_location("shop", folder / "shop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.app.using(url):
        yield module


def _wait_for_workers(shop: Any) -> None:
    deadline = time.monotonic() + _WAIT_S
    while len(shop.app.db.workers()) < _WORKERS:
        if time.monotonic() > deadline:
            raise HonkerError(f"the workers have not started within {_WAIT_S:g} s")
        time.sleep(0.02)


def _place(shop: Any, orders: Iterable[int]) -> list[dict[str, Any]]:
    """Place as many orders as there are workers, and wait for their e-mails."""
    placed = [(order, time.time(), shop.place_order(order)) for order in orders]
    began = [(order, at, result.get(timeout=_WAIT_S)) for order, at, result in placed]
    return [{"order": order, "process": each["process"], "ms": (each["at"] - at) * 1000} for order, at, each in began]


@contextmanager
def _workers(folder: Path, environment: dict[str, str]) -> Generator[None]:
    command = [sys.executable, "-m", "honker", "worker", "shop:app", "--concurrency", "1", "--log-level", "warning"]
    running = [
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        for _ in range(_WORKERS)
    ]
    try:
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait()
