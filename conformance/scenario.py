"""Scenarios: calls of a binding, with the results that every language gives.

A scenario is a list of steps. Each is one of

    {call, of, as, ARGUMENTS..., gives | has | fails}   one call; README.md lists them
    {start: {call...}, named: NAME}                      a call in the background
    {finish: NAME, gives | has | fails | cancelled}      its answer
    {waits: NAME}                                        it has no answer yet
    {cancel: NAME}                                       cancel it
    {until: {call...}, gives | has}                      the call, again and again, until it gives this
    {later: SECONDS}                                     everything stored becomes so much older

`gives` is the whole value. `has` is a part of it: the keys of an object, the elements of a list. `<any>` stands for any
value. `fails` is the code of the error; a list means one of them.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from tests.sql.clock import advance

from .agent import Agent, CallFailed, Pending, Unsupported

FOLDER = Path(__file__).with_name("scenarios")
EXPECTATIONS = ("gives", "has", "fails", "cancelled")
ANY = "<any>"
WAIT_S = 10.0
# A call that waits has not ended by then. Were it a poll, it would have.
QUIET_S = 0.2


def all_scenarios() -> dict[str, list[dict[str, Any]]]:
    """Every scenario by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        for name, steps in yaml.safe_load(path.read_text()).items():
            if name in found:
                raise ValueError(f"{path}: there are two scenarios {name!r}")
            found[name] = steps
    return found


class Play:
    """A scenario that is being played, by one agent or by several that are named in the steps."""

    def __init__(self, path: Path, agents: dict[str, Agent]) -> None:
        self.path = path
        self.agents = agents
        self.pending: dict[str, Pending] = {}

    def play(self, steps: list[dict[str, Any]]) -> None:
        """Raises AssertionError at the first step with another result than the one expected."""
        for number, step in enumerate(steps, 1):
            try:
                self.step(dict(step))
            except Unsupported:
                raise
            except (AssertionError, CallFailed, TimeoutError) as problem:
                raise AssertionError(f"step {number}, {step}: {problem}") from problem

    def step(self, step: dict[str, Any]) -> None:
        expected = {key: step.pop(key) for key in EXPECTATIONS if key in step}
        if "later" in step:
            self.advance(step["later"])
        elif "start" in step:
            self.pending[step["named"]] = self.send(dict(step["start"]), background=True)
        elif "finish" in step:
            check(self.pending.pop(step["finish"]), expected)
        elif "waits" in step:
            time.sleep(QUIET_S)
            assert not self.pending[step["waits"]].is_done(), "it has ended"
        elif "cancel" in step and isinstance(step["cancel"], str):
            self.pending[step["cancel"]].cancel()
        elif "until" in step:
            self.until(step["until"], expected)
        else:
            check(self.send(step), expected)

    def send(self, step: dict[str, Any], *, background: bool = False) -> Pending:
        agent = self.agents[step.pop("by", next(iter(self.agents)))]
        call, on, store_as = step.pop("call"), step.pop("of", None), step.pop("as", None)
        if call == "open":
            step.setdefault("path", str(self.path))
        return agent.send(call, on=on, store_as=store_as, background=background, **step)

    def until(self, step: dict[str, Any], expected: dict[str, Any]) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                return check(self.send(dict(step)), expected)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def advance(self, seconds: float) -> None:
        with closing(sqlite3.connect(self.path, timeout=10, isolation_level=None)) as conn:
            advance(conn, seconds)


def check(pending: Pending, expected: dict[str, Any]) -> None:
    """Raises AssertionError if the answer is another one."""
    if "fails" in expected:
        codes = [expected["fails"]] if isinstance(expected["fails"], str) else expected["fails"]
        failed = failure(pending)
        assert failed.code in codes, f"failed with {failed.code} ({failed.message}), not with {codes}"
        return
    answer = pending.answer(WAIT_S)
    value = answer.get("value")
    if "cancelled" in expected:
        assert answer.get("cancelled", False) is expected["cancelled"], f"answered {answer}"
    if "gives" in expected:
        assert matches(value, expected["gives"], whole=True), f"gave {value!r}, not {expected['gives']!r}"
    if "has" in expected:
        assert matches(value, expected["has"], whole=False), f"gave {value!r}, not {expected['has']!r}"


def failure(pending: Pending) -> CallFailed:
    """The error of a call; AssertionError if it gave a value."""
    try:
        value = pending.value(WAIT_S)
    except CallFailed as failed:
        return failed
    raise AssertionError(f"gave {value!r}, and did not fail")


def matches(value: Any, expected: Any, *, whole: bool) -> bool:
    """True if the value is the one expected, or has it."""
    if expected == ANY:
        return True
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and (not whole or value.keys() == expected.keys())
            and all(key in value and matches(value[key], each, whole=whole) for key, each in expected.items())
        )
    if isinstance(expected, list):
        return (
            isinstance(value, list)
            and len(value) == len(expected)
            and all(matches(*pair, whole=whole) for pair in zip(value, expected, strict=True))
        )
    if isinstance(expected, bool) or isinstance(value, bool):
        # A language may answer a count where another has a boolean.
        return value in {0, 1} and bool(value) == bool(expected)
    return value == expected
