"""Processes for handlers that need a processor each, or that must be killed when their time is over.

Not `concurrent.futures.ProcessPoolExecutor`: it cannot end one of its processes without breaking all of them, and does
not tell which handler was to blame. Here each process has one call at a time and can be killed alone. They are started
afresh, never forked: a child must not inherit open databases, and threads do not survive a fork. Nor do they import the
script that runs, as those of `multiprocessing` would: it may run workers itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Final, Protocol

from honker.worker.process_child import LENGTH_BYTES, Message, Target, encode

#: Seconds that a process may take to start and to import a handler's module.
START_S: Final = 60.0
#: Seconds that an idle process has to end by itself, with what its modules do at exit.
_GOODBYE_S: Final = 1.0

# The path first: no file in the current directory may replace a module of honker.
_SCRIPT: Final = (
    "import sys; sys.path[:] = sys.argv[2:]; from honker.worker.process_child import serve; serve(int(sys.argv[1]))"
)


class ProcessDied(Exception):
    """The process of a handler ended, or could not be made to begin.

    Attributes:
        has_begun: True if the handler may have done something.
    """

    def __init__(self, message: str, *, has_begun: bool) -> None:
        super().__init__(message)
        self.has_begun = has_begun


class RunningProcess(Protocol):
    """A process that calls a handler."""

    def ask_to_end(self, job_id: int) -> None:
        """Ask the handler, and the programs that it has started, to end."""
        ...


class Processes:
    """Processes that call handlers: one for each call under way, kept for later calls."""

    def __init__(self) -> None:
        self._idle: list[_Process] = []

    async def call(
        self, target: Target, request: Message, timeout_s: float | None, on_call: Callable[[RunningProcess], None]
    ) -> Message:
        """Call a function in another process. Cancelled, it kills that process.

        Args:
            target: The function.
            request: Its ``args`` and ``kwargs``, and ``result_max_chars``, the longest result it sends.
            timeout_s: Seconds that it may take; starting the process and importing does not count.
            on_call: Called with the process before the call is sent to it.

        Returns:
            The answer of the process: its ``result``, or an ``error``.

        Raises:
            TimeoutError: The time is over; the process is killed.
            ProcessDied: The process ended by itself, or did not begin.
        """
        message = {"target": target, **request}
        if self._idle:
            try:
                return await self._call(self._idle.pop(), message, timeout_s, on_call)
            except ProcessDied as death:
                if death.has_begun:
                    raise
                # It was killed while it was idle: the handler is not to blame.
        return await self._call(await _Process.start(), message, timeout_s, on_call)

    async def _call(
        self,
        process: _Process,
        message: Message,
        timeout_s: float | None,
        on_call: Callable[[RunningProcess], None],
    ) -> Message:
        on_call(process)
        try:
            answer = await process.call(message, timeout_s)
        except BaseException:
            process.kill()
            raise
        if process.is_asked_to_end:
            process.hang_up()  # A signal to a handler that has ended must not meet the next one.
        else:
            self._idle.append(process)
        return answer

    async def close(self) -> None:
        """End the idle processes. The cancellation of a call kills the process that is at work on it."""
        idle, self._idle = self._idle, []
        for process in idle:
            process.hang_up()
        if idle:
            await asyncio.wait([process.exited for process in idle], timeout=_GOODBYE_S)
        for process in idle:
            process.kill()
        await asyncio.sleep(0)  # The event loop closes the sockets on its next round.


class _Process:
    """A process that calls one handler after the other, in a session of its own."""

    def __init__(
        self, popen: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._popen = popen
        self._reader = reader
        self._writer = writer
        self.is_asked_to_end = False
        #: Its exit code, once it has ended.
        self.exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        # Held while the process is reaped: only until then is the number of its group certainly its own.
        self._reaping = threading.Lock()
        threading.Thread(target=self._wait, name="honker-process", daemon=True).start()

    @classmethod
    async def start(cls) -> _Process:
        """A new process, with the environment and the module path of this one and nothing else."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                command = [sys.executable, "-c", _SCRIPT, str(theirs.fileno()), *sys.path]
                popen = subprocess.Popen(
                    command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
                )
            reader, writer = await asyncio.open_connection(sock=ours)
        except OSError as error:
            ours.close()
            raise ProcessDied(f"no process could be started for the handler: {error}", has_begun=False) from error
        except BaseException:
            ours.close()  # which ends the process
            raise
        return cls(popen, reader, writer)

    def _wait(self) -> None:
        """Wait for the end of the process, and end the programs that its handlers have left behind."""
        # Not asyncio's subprocesses: they reap the process before its group can be killed.
        if hasattr(os, "waitid"):  # on macOS since Python 3.13
            with contextlib.suppress(ChildProcessError):  # The application ignores SIGCHLD.
                os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._popen.wait()
        with self._reaping:
            self._kill_group()
            code = self._popen.wait()
        with contextlib.suppress(RuntimeError):  # The event loop may be closed.
            self.exited.get_loop().call_soon_threadsafe(self._note_exit, code)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: only zombies are left in the group
            os.killpg(self._popen.pid, signal.SIGKILL)

    def _note_exit(self, code: int) -> None:
        if not self.exited.done():
            self.exited.set_result(code)

    async def call(self, message: Message, timeout_s: float | None) -> Message:
        """Send a call and wait for its answer."""
        has_begun = False
        try:
            async with asyncio.timeout(START_S):
                self._writer.write(encode(message))
                await self._writer.drain()
                answer = await self._receive()
            has_begun = "begun" in answer
            if has_begun:
                async with asyncio.timeout(timeout_s):
                    answer = await self._receive()
        except TimeoutError:
            if has_begun:
                raise
            raise ProcessDied(f"the handler's process did not begin within {START_S:g} s", has_begun=False) from None
        except (ConnectionError, asyncio.IncompleteReadError):
            await asyncio.wait([self.exited], timeout=_GOODBYE_S)
            raise ProcessDied(self._cause_of_death(), has_begun=has_begun) from None
        return answer

    async def _receive(self) -> Message:
        reading = asyncio.ensure_future(self._read())
        try:
            await asyncio.wait([reading, self.exited], return_when=asyncio.FIRST_COMPLETED)
            # Its last message may come after the news of its end. A program that it has started may hold its socket, so
            # that no end of file ever comes.
            await asyncio.wait([reading], timeout=_GOODBYE_S)
            if not reading.done():
                raise ConnectionResetError
            return reading.result()
        finally:
            reading.cancel()

    async def _read(self) -> Message:
        length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
        message: Message = json.loads(await self._reader.readexactly(length))
        return message

    def _cause_of_death(self) -> str:
        if not self.exited.done():
            return "the handler's process closed its connection to the worker"
        code = self.exited.result()
        if code >= 0:
            return f"the handler's process ended with exit code {code}"
        if -code == signal.SIGKILL:
            return "the handler's process was killed (SIGKILL); the system may have been out of memory"
        return f"the handler's process was killed by signal {-code} ({signal.strsignal(-code)})"

    def ask_to_end(self, job_id: int) -> None:
        """Ask the handler, and the programs that it has started, to end."""
        self.is_asked_to_end = True
        if not self._writer.is_closing():
            self._writer.write(encode({"cancel": job_id}))

    def hang_up(self) -> None:
        """Close the connection, upon which the process ends."""
        self._writer.close()

    def kill(self) -> None:
        """End it and all programs that its handler has started, now."""
        self._writer.close()
        with self._reaping:
            if self._popen.returncode is None:
                self._kill_group()
