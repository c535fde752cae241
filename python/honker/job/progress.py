"""Writing the progress of a running job, at most once a second."""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

from honker.arguments import Call
from honker.clock import monotonic
from honker.engine import Engine
from honker.errors import BlockingCallError, DatabaseBusyError, HonkerError, NestedTransactionError

#: Seconds between two writes of one job.
INTERVAL_S: Final = 1.0

_PROGRESS: Final = "SELECT honker_progress(?, ?, ?, ?, ?, ?)"
# The write lock is taken: by another process, or by a transaction of the handler itself.
_NOT_NOW: Final = (DatabaseBusyError, BlockingCallError, NestedTransactionError)


class Claim(NamedTuple):
    """The identity of an attempt."""

    job_id: int
    worker_id: str
    attempt: int


class Report(NamedTuple):
    """A progress that a handler reports."""

    done: float
    total: float
    note: str | None


class ProgressReporter:
    """Writes the reports of one job. The first is written at once; of those within a second, the last one.

    Invariant: a report that is not written has a timer that will write it, unless the reporter is closed or the lease
    is lost. So the file shows the last report within a second, even if the handler makes no further one. A report
    that comes after the end of the job changes nothing: the engine compares the attempt.
    """

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._lock = threading.Lock()
        self._waiting: Report | None = None
        self._timer: threading.Timer | None = None
        self._written_at = -INTERVAL_S
        self._is_held = True
        self._is_closed = False

    def report(self, report: Report) -> bool:
        """Write a report, now or within a second. False if the lease is known to be lost."""
        due = self._take_or_wait(report)
        if due is not None:
            try:
                self._note_answer(self._engine.call(*self._call(due)))
            except _NOT_NOW:
                self._wait_again(due)
        return self._is_held

    async def areport(self, report: Report) -> bool:
        """Like `report`, without blocking the event loop."""
        due = self._take_or_wait(report)
        if due is not None:
            try:
                self._note_answer(await self._engine.acall(*self._call(due)))
            except _NOT_NOW:
                self._wait_again(due)
        return self._is_held

    def close(self) -> None:
        """Drop a report that is not written yet: the job has ended."""
        with self._lock:
            self._is_closed, self._waiting = True, None
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _call(self, report: Report) -> Call:
        job_id, worker_id, attempt = self._claim
        return _PROGRESS, job_id, worker_id, report.done, report.total, report.note, attempt

    def _take_or_wait(self, report: Report) -> Report | None:
        """The report if it can be written now; else it waits for the timer."""
        with self._lock:
            if self._is_closed or not self._is_held:
                return None
            now_s = monotonic()
            if self._timer is None and now_s - self._written_at >= INTERVAL_S:
                self._written_at = now_s
                return report
            self._waiting = report
            self._start_timer(self._written_at + INTERVAL_S - now_s)
            return None

    def _wait_again(self, report: Report) -> None:
        """Keep a report that could not be written, unless a later one waits already."""
        with self._lock:
            if not self._is_closed:
                self._waiting = self._waiting or report
                self._start_timer(INTERVAL_S)

    def _start_timer(self, delay_s: float) -> None:
        if self._timer is None:
            self._timer = threading.Timer(max(delay_s, 0), self._write_waiting)
            self._timer.daemon = True
            self._timer.name = "honker-progress"
            self._timer.start()

    def _write_waiting(self) -> None:
        """Write the report that waits; runs in the thread of the timer."""
        with self._lock:
            report, self._waiting, self._timer = self._waiting, None, None
            if report is None or self._is_closed:
                return
            self._written_at = monotonic()
        try:
            self._note_answer(self._engine.call(*self._call(report)))
        except _NOT_NOW:
            self._wait_again(report)
        except HonkerError:
            # The database is closed or broken. The handler learns of it at its next call, as every caller does.
            self.close()

    def _note_answer(self, answer: int) -> None:
        if not answer:
            self._is_held = False
