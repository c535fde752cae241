"""What runs in a process of its own: handlers, one call at a time, for the worker at the other end of a socket.

A message is its length in eight bytes and then JSON. The worker sends a call; it is told when the function has been
found and begins, so that what importing takes does not count as the handler's time, and then how it ended. A process
whose worker is gone ends at once: the lease lapses, and the job must not be at work twice.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

from honker.errors import InvalidTaskError
from honker.task.registry import registry
from honker.task.task import Task
from honker.worker.outcome import describe, encode_result, refuse_lazy

#: Bytes before each message that tell its length.
LENGTH_BYTES: Final = 8

Message = dict[str, Any]


class Target(NamedTuple):
    """A function, for a process that has not imported it yet.

    Attributes:
        task: The name it is registered under when its module has been imported.
    """

    module: str
    qualname: str
    task: str


def encode(message: Message) -> bytes:
    """A message as it is sent."""
    body = json.dumps(message).encode()
    return len(body).to_bytes(LENGTH_BYTES) + body


def serve(descriptor: int) -> None:
    """Call what comes out of the socket until its other end is closed."""
    # A worker that is told to stop lets its handlers end. Python functions, because what is ignored here would be
    # ignored by every program that a handler starts, too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_it_to_the_worker)
    os.set_inheritable(descriptor, False)
    link = _Link(socket.socket(fileno=descriptor))
    threading.Thread(target=link.receive_for_ever, name="honker-link", daemon=True).start()
    while (call := link.next_call()) is not None:
        link.send(_end_of(link, call))
        link.is_busy = False


def _leave_it_to_the_worker(number: int, frame: object) -> None:
    """A signal for the whole group is the worker's business."""


class _Link:
    """The way to the worker. Messages are read in a thread, so that the end of the worker is noticed at any time."""

    def __init__(self, way: socket.socket) -> None:
        self._way = way
        self._calls: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.is_busy = False

    def receive_for_ever(self) -> None:
        with self._way.makefile("rb") as incoming:
            while len(length := incoming.read(LENGTH_BYTES)) == LENGTH_BYTES:
                self.is_busy = True
                self._calls.put(json.loads(incoming.read(int.from_bytes(length))))
        if self.is_busy:
            # This process leads its group: what the handler has started goes with it.
            os.killpg(os.getpgrp(), signal.SIGKILL)
        self._calls.put(None)

    def next_call(self) -> Message | None:
        return self._calls.get()

    def send(self, message: Message) -> None:
        try:
            self._way.sendall(encode(message))
        except OSError:
            os.killpg(os.getpgrp(), signal.SIGKILL)


def _end_of(link: _Link, call: Message) -> Message:
    """Call a function; the answer holds its ``result`` and the reason why that has no JSON, or its ``error``."""
    try:
        fn = _found(Target(*call["target"]))
        link.send({"begun": True})
        value = fn(*call["args"], **call["kwargs"])
        if inspect.isawaitable(value):
            raise InvalidTaskError("a handler in another process must not return an awaitable; use executor='thread'")
        refuse_lazy(value)
        return {"result": encode_result(value) if call["keeps_result"] else None}
    except BaseException as error:
        return describe(error)._asdict()


def _found(target: Target) -> Callable[..., Any]:
    """The function of a task, from its module: what is registered there, or what bears its name."""
    module = importlib.import_module(target.module)
    if target.task in registry().names():
        return registry().get(target.task).fn
    found: Any = module
    for name in target.qualname.split("."):
        found = getattr(found, name)
    return cast("Callable[..., Any]", found.fn if isinstance(found, Task) else found)
