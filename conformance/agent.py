"""An agent: a program in another language that makes the calls of its binding which it receives, see README.md."""

import itertools
import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from .binding import Binding, environment

# No call that does not wait takes as long; the start of a virtual machine is the longest.
TIMEOUT_S = 60.0


class CallFailed(Exception):
    """The call failed with the error that the binding raised."""

    def __init__(self, call: str, code: str, message: str) -> None:
        super().__init__(f"{call}: {code}: {message}")
        self.code, self.message = code, message


class Unsupported(CallFailed):
    """The language cannot offer the call."""


class Pending:
    """A call that has been sent."""

    def __init__(self, agent: "Agent", number: int, call: str) -> None:
        self.agent, self.number, self.call = agent, number, call
        self.answers: queue.Queue[dict[str, Any]] = queue.Queue()

    def answer(self, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
        """Wait for the answer.

        Raises:
            CallFailed: the binding raised an error.
            TimeoutError: there is no answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                found = self.answers.get(timeout=min(0.5, max(0.001, deadline - time.monotonic())))
                break
            except queue.Empty:
                self.agent.check_alive(self.call)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.agent.name}: no answer to {self.call} in {timeout_s} s") from None
        if "error" in found:
            kind = Unsupported if found["error"]["code"] == "UNSUPPORTED" else CallFailed
            raise kind(f"{self.agent.name}: {self.call}", found["error"]["code"], found["error"]["message"])
        return found

    def value(self, timeout_s: float = TIMEOUT_S) -> Any:
        """Wait for the value, as `answer` does."""
        return self.answer(timeout_s).get("value")

    def is_done(self) -> bool:
        """True if the answer has come."""
        return not self.answers.empty()

    def cancel(self) -> None:
        """Cancel the call in the language's own way."""
        self.agent.call("cancel", call=self.number)


class Agent:
    """A running agent; a context manager that ends it."""

    def __init__(self, binding: Binding) -> None:
        self.name = binding.name
        self._process = subprocess.Popen(
            binding.agent_command(),
            cwd=binding.folder,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._has_ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Agent":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise TimeoutError(f"{self.name}: the agent did not end with its input") from error
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        if kind is None and code:
            raise RuntimeError(f"{self.name}: the agent ended with code {code}")

    def send(self, call: str, /, *, on: str | None = None, store_as: str | None = None,
             background: bool = False, **args: Any) -> Pending:  # fmt: skip
        """Send a call, and return at once."""
        number = next(self._numbers)
        pending = self._pending[number] = Pending(self, number, call)
        request: dict[str, Any] = {"id": number, "call": call, "args": args}
        if on is not None:
            request["on"] = on
        if store_as is not None:
            request["as"] = store_as
        if background:
            request["background"] = True
        self.check_alive(call)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return pending

    def call(self, call: str, /, *, on: str | None = None, store_as: str | None = None, **args: Any) -> Any:
        """Make a call, and wait for its value."""
        return self.send(call, on=on, store_as=store_as, **args).value()

    def check_alive(self, call: str) -> None:
        """Raises RuntimeError if the agent has ended."""
        if self._has_ended.is_set():
            raise RuntimeError(f"{self.name}: the agent ended (code {self._process.wait()}) before it answered {call}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer: Mapping[str, Any] = json.loads(line)
            self._pending.pop(answer["id"]).answers.put(dict(answer))
        self._has_ended.set()
