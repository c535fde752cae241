"""The process of a handler: it calls one function after the other for the worker at the other end of a socket.

A message is its length in eight bytes, then JSON. The worker sends a call. The first answer tells that the function has
been found and begins, so that the time for imports does not count as the handler's; the second holds its result or its
error. A request to cancel may come in between: it becomes SIGTERM for the process and the programs that its handler has
started, and a `honker.JobCancelledError` in the handler. A process whose worker has died ends at once: the lease
lapses, and the job must not run twice at a time.
"""

from __future__ import annotations

import contextlib
import functools
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

from honker.codec.task_types import TaskTypes
from honker.errors import InvalidTaskError, JobCancelledError, PayloadMismatchError
from honker.task.registry import all_specs
from honker.task.task import Task
from honker.worker.forked_child import leave_if_forked
from honker.worker.forked_signals import replace_after_fork
from honker.worker.outcome import ErrorReport, describe, encode_result, is_judged, refuse_lazy
from honker.worker.retry_rules import kinds_of

#: Bytes of the length before each message.
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
    """The bytes of a message."""
    body = json.dumps(message).encode()
    return len(body).to_bytes(LENGTH_BYTES) + body


def serve(descriptor: int) -> None:
    """Call the functions that the socket names until its other end is closed."""
    # A worker that stops lets its handlers end. Python functions, because a signal that is ignored here would be
    # ignored by every program that a handler starts, too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave_to_worker)
    os.set_inheritable(descriptor, False)
    link = _current.link = _Link(socket.socket(fileno=descriptor))
    replace_after_fork(functools.partial(_become_ordinary, link))
    threading.Thread(target=link.receive_for_ever, name="honker-link", daemon=True).start()
    while (call := link.next_call()) is not None:
        answer = _end_of(link, call)
        # Before the answer: the next call may come, and mark the link as busy, as soon as that is sent.
        link.is_busy = False
        link.send(answer)


def _leave_to_worker(number: int, frame: object) -> None:
    """Ignore a signal to the whole group, which the worker gets too; one that the worker has sent ends the handler."""
    link = _current.link
    if link is not None and number == signal.SIGTERM:
        link.raise_if_cancelled()


class _Current:
    """The link of this process, for its signal handler."""

    link: _Link | None = None


_current: Final = _Current()


def _become_ordinary(link: _Link) -> None:
    """Give a process that a handler has forked the default signal handlers, and no part of the link to the worker.

    With the handlers of this process, `multiprocessing` could not terminate it.
    """
    if os.getpid() == link.process_id:
        return
    _current.link = None
    link.forget()
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is _leave_to_worker:  # not a handler of the application
            signal.signal(number, handler)


class _Link:
    """The connection to the worker. A thread reads the messages, so that the end of the worker is noticed at once."""

    def __init__(self, way: socket.socket) -> None:
        self._way = way
        self._calls: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.is_busy = False
        #: True while the function of a call runs: only there may a signal raise.
        self.is_in_handler = False
        self._cancelled_id: int | None = None
        self.process_id = os.getpid()

    def receive_for_ever(self) -> None:
        while (call := self._receive()) is not None:
            if "cancel" in call:
                self._cancel(call["cancel"])
            else:
                self.is_busy = True
                self._calls.put(call)
        if self.is_busy:
            _kill_group()
        self._calls.put(None)

    def _cancel(self, job_id: int) -> None:
        """Send SIGTERM to this process and all that its handler has started; the worker kills them after a time."""
        if self.is_busy:
            self._cancelled_id = job_id
            os.killpg(os.getpgrp(), signal.SIGTERM)

    def raise_if_cancelled(self) -> None:
        """End the handler that runs, once, if its job is to be cancelled.

        Raises:
            JobCancelledError: It is.
        """
        job_id = self._cancelled_id
        if job_id is not None and self.is_in_handler:
            self._cancelled_id = None
            raise JobCancelledError(job_id)

    def _receive(self) -> Message | None:
        """The next message; None if the worker has gone, even in the middle of a message."""
        length = self._receive_exactly(LENGTH_BYTES)
        body = None if length is None else self._receive_exactly(int.from_bytes(length))
        return None if body is None else json.loads(body)

    def _receive_exactly(self, count: int) -> bytearray | None:
        # Not through a buffered file: a process that is forked while another thread reads would inherit its lock.
        data = bytearray(count)
        rest = memoryview(data)
        while rest:
            try:
                received = self._way.recv_into(rest)
            except OSError:
                return None
            if received == 0:
                return None
            rest = rest[received:]
        return data

    def next_call(self) -> Message | None:
        return self._calls.get()

    def send(self, message: Message) -> None:
        try:
            self._way.sendall(encode(message))
        except OSError:
            _kill_group()

    def forget(self) -> None:
        """Close this process's copy of the socket."""
        with contextlib.suppress(OSError):
            os.close(self._way.detach())


def _kill_group() -> None:
    """Kill this process and all that its handler has started; it leads their group."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _end_of(link: _Link, call: Message) -> Message:
    """Call a function; the answer holds its ``result`` and the reason why that has no JSON, or its ``error``."""
    try:
        fn, types = _found(Target(*call["target"]))
        args, kwargs = call["args"], call["kwargs"]
        try:
            args, kwargs = types.decode(args, kwargs, shows_values=False)
        except PayloadMismatchError as error:
            return ErrorReport(str(error), wish="refuse")._asdict()
        link.send({"begun": True})
        link.is_in_handler = True
        try:
            link.raise_if_cancelled()  # asked while the module was imported
            value = fn(*args, **kwargs)
            leave_if_forked(link.process_id)
        finally:
            link.is_in_handler = False
        if inspect.isawaitable(value):
            raise InvalidTaskError("a handler in another process must not return an awaitable; use executor='thread'")
        refuse_lazy(value)
        return {"result": encode_result(value, types, call["result_max_chars"])}
    except BaseException as error:
        leave_if_forked(link.process_id, error)
        kinds = kinds_of(error) if is_judged(error) else ()
        return describe(error)._replace(kinds=kinds)._asdict()


def _found(target: Target) -> tuple[Callable[..., Any], TaskTypes]:
    """The function of a task and its types: those that its module registers, or else those of that name."""
    module = importlib.import_module(target.module)
    # Of several databases each may have a task of this name.
    for spec in all_specs():
        named = getattr(spec.fn, "__module__", None), getattr(spec.fn, "__qualname__", None), spec.name
        if named == tuple(target):
            return spec.fn, spec.types
    found: Any = module
    for name in target.qualname.split("."):
        found = getattr(found, name)
    if isinstance(found, Task):
        task = cast("Task[..., Any]", found)
        return task.fn, task.spec.types
    return found, TaskTypes(target.task, found)
