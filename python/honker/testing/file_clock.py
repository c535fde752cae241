"""The clock of a testing file, in the hands of a test."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from honker.arguments import Instant, Seconds, SQLValue, TransactionLike, optional_instant, seconds
from honker.engine import Engine
from honker.errors import InvalidArgumentError
from honker.sqlite.connection import Connection
from honker.sqlite.engine_clock import EngineClock, note_testing_file
from honker.testing.followed_clock import GET, RUN, STOP, FollowedClock
from honker.testing.target import Target, database_of

CLOCK: Final = "SELECT honker_clock()"
ADVANCE: Final = "SELECT honker_test_clock_advance(?)"

_PARTS: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNITS_S: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span_s(span: Seconds | str) -> float:
    """The seconds of a span: a number, a timedelta, or a text such as ``"90s"``, ``"3h"`` or ``"1d12h"``.

    Raises:
        InvalidArgumentError: It is none of these.
    """
    if not isinstance(span, str):
        return seconds(span, "span")
    if not span or _PARTS.sub("", span):
        units = ", ".join(_UNITS_S)
        raise InvalidArgumentError(f"span is {span!r}; write numbers with a unit ({units}), as in '3h' or '1d12h'")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PARTS.findall(span))


class Clock:
    """The clock of a testing file; get one from `honker.testing.clock`.

    Every process that has the file open reads it: delays, leases, schedules, expiries, rate limits, locks and the times
    to live of results move with it. A change is a commit, so waiting workers and schedulers look at once. Time limits
    of handlers and of waiting functions such as `TaskResult.get` stay those of real time.
    """

    def __init__(self, engine: Engine, system: EngineClock, tx: TransactionLike = None) -> None:
        self._engine = engine
        self._system = system
        self._tx = tx
        self._followed: FollowedClock | None = None

    def __repr__(self) -> str:
        return f"<honker.testing.Clock of {self._engine.path!r}>"

    @property
    def now(self) -> float:
        """The time that it shows, in Unix seconds."""
        return self._engine.ask(CLOCK, tx=self._tx)

    def advance(self, span: Seconds | str) -> float:
        """Move the clock forward. One that stands still stands still there.

        Args:
            span: Seconds, a timedelta, or a text such as ``"90s"``, ``"3h"`` or ``"1d12h"``.

        Returns:
            The time that it shows now.

        Raises:
            InvalidArgumentError: The span is negative, or is none of these.

        Source: SQL ``honker_test_clock_advance``.
        """
        return self._call(ADVANCE, span_s(span))

    def freeze(self, at: Instant | None = None) -> float:
        """Let the clock stand still.

        Args:
            at: Unix seconds or an aware datetime; None for the time that it shows now.

        Returns:
            The time that it shows.

        Source: SQL ``honker_test_clock_stop``.
        """
        return self._call(STOP, self._instant(at))

    def run(self, at: Instant | None = None) -> float:
        """Let the clock run.

        Args:
            at: The time to begin with, as for `freeze`; None for the time that it shows now.

        Returns:
            The time that it shows.

        Source: SQL ``honker_test_clock_run``.
        """
        return self._call(RUN, self._instant(at) - self._system.now())

    def follow(self, read: Callable[[], float] | None) -> None:
        """Show the time of another clock from now on, such as one that freezegun or time-machine moves.

        The clock is compared and set at each call of honker in this process, on this database handle. A clock that runs
        goes on by itself between these calls, also for other processes. Write ``follow(lambda: time.time())``:
        these libraries replace the function ``time.time`` itself.

        Args:
            read: Returns Unix seconds; None follows no more.
        """
        if self._followed is not None:
            self._followed.end()
        self._followed = None if read is None else FollowedClock(self._engine, read, self._system.now, self._tx)

    def _instant(self, at: Instant | None) -> float:
        given = optional_instant(at, "at")
        return self.now if given is None else given

    def _call(self, sql: str, *params: SQLValue) -> float:
        shown: float = self._engine.call(sql, *params, tx=self._tx)
        return shown


@contextmanager
def clock(target: Target, *, tx: TransactionLike = None) -> Generator[Clock]:
    """Control the time of a testing file, and put its clock back at the end.

    ``with clock(app) as c: c.advance("3h")``. The first use makes the file a testing file, which is refused once it
    has had a job. The fixtures of the pytest plugin and `temporary_database` make testing files.

    Args:
        target: The app or the database.
        tx: A transaction to set the clock in, such as that of a Django ``TestCase``: only this connection
            sees the time, until it commits.

    Raises:
        InvalidArgumentError: The file is none and has had jobs.

    Source: SQL ``honker_test_clock_run``, ``honker_test_clock_stop``, ``honker_test_clock_advance``.
    """
    engine = database_of(target).engine
    text: str | None = engine.ask(GET, tx=tx)
    before: dict[str, Any] = {"offset_s": 0, "stopped_at": None} if text is None else json.loads(text)
    if text is None:
        engine.call(RUN, 0, tx=tx)
    note_testing_file(engine.identity)
    # Libraries replace the functions of Python that read the system's clock.
    system = EngineClock(sqlite3, "", _no_file)
    controlled = Clock(engine, system, tx)
    try:
        yield controlled
    finally:
        controlled.follow(None)
        call = (RUN, before["offset_s"]) if before["stopped_at"] is None else (STOP, before["stopped_at"])
        engine.call(*call, tx=tx)
        system.close()


def _no_file() -> Connection:
    raise AssertionError("the clock of the system needs no file")
