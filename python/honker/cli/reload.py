"""The option ``--reload``: run a worker in a process of its own, anew after each change of a Python file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

import click

#: Milliseconds between two looks at the end of the watch.
_LOOK_MS: Final = 100

#: The signals that end it, and the ones passed on. A terminal that is closed sends SIGHUP to this process alone.
_SIGNALS: Final = {signal.SIGINT: signal.SIGINT, signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGTERM}


def run_reloading(command: Sequence[str], say: Callable[..., None]) -> int:
    """Run a command of ``honker`` until a signal; stop and start it when a Python file below this directory changes.

    The command is stopped by SIGTERM, so that it ends as gracefully as by the user. Signals to this process are passed
    on. A command that ends by itself, as after a syntax error, is started again at the next change.

    Args:
        command: The arguments of ``honker``.
        say: Called with the name of an event, its text and its facts.

    Returns:
        The exit code of the command after the signal.

    Raises:
        click.UsageError: The package ``watchfiles`` is missing.
    """
    try:
        from watchfiles import PythonFilter, watch  # noqa: PLC0415 - an extra, and only for development
    except ImportError as error:
        raise click.UsageError("--reload needs the package watchfiles; run: pip install 'honker-db[reload]'") from error

    child = _Child(command)
    stop = threading.Event()
    received: list[int] = []

    def take(number: int, _: FrameType | None) -> None:
        received.append(number)
        stop.set()
        child.send(_SIGNALS[signal.Signals(number)])

    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, take)
    changes = watch(
        os.getcwd(), watch_filter=PythonFilter(), stop_event=stop, rust_timeout=_LOOK_MS, yield_on_timeout=True
    )
    try:
        for changed in changes:
            # The first turn comes once the files are watched, so that no change is missed.
            if not child.has_started:
                child.start()
            elif changed:
                files = sorted(os.path.relpath(file) for _, file in changed)
                say("reloading", f"reloading; changed: {', '.join(files)}", files=files)
                child.stop()
                if not stop.is_set():
                    child.start()
    except BaseException:
        child.send(signal.SIGTERM)
        raise
    return child.wait() if child.has_started else 128 + received[-1]


class _Child:
    """The process of the command. It leads a process group, so that Ctrl-C reaches it only through its parent."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = [sys.executable, "-m", "honker", *command]
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def has_started(self) -> bool:
        return self._popen is not None

    def start(self) -> None:
        self._popen = subprocess.Popen(self._command, process_group=0)

    def stop(self) -> None:
        """Ask it to end, and wait for its end."""
        self.send(signal.SIGTERM)
        self.wait()

    def send(self, number: int) -> None:
        # Reaped only by `wait`, so the process id is certainly its own.
        if self._popen is not None and self._popen.returncode is None:
            self._popen.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; its exit code, in the form of a shell."""
        code = 0 if self._popen is None else self._popen.wait()
        return code if code >= 0 else 128 - code
