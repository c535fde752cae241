"""Hazards in honker's rows: jobs, schedules, clocks."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, Protocol

from honker.cli.doctor.finding import Finding
from honker.cli.table import moment, span
from honker.task.message import read_envelope
from honker.worker.listing import read_workers

#: Seconds by which a schedule or a job may be late.
LATE_S: Final = 300
#: Seconds by which clocks may differ.
CLOCK_S: Final = 60

# Findings of one kind that are listed at most.
_MOST: Final = 20
_QUEUES: Final = 1_000
_WORKERS: Final = 500


class Rows(Protocol):
    """The result of a statement."""

    def fetchall(self) -> list[Any]:
        """All of its rows."""
        ...


class Functions(Protocol):
    """A connection to call functions of the engine on, of either engine."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Run one statement."""
        ...


def check_flow(conn: Functions) -> Iterator[Finding]:
    """Check the tables of flow control."""
    for violation in ask(conn, "SELECT honker_flow_violations(?)", _MOST):
        yield Finding(
            check="flow",
            fact=f"job {violation['job_id']}: {violation['problem']}",
            why="jobs may wait for ever, or their limits count wrongly",
            step="run a worker, whose claims repair what keeps jobs waiting; find the program that changed the rows",
        )


def check_malformed(conn: Functions) -> Iterator[Finding]:
    """Check the forms of the rows of a file. The types of PostgreSQL allow no other ones."""
    for row in ask(conn, "SELECT honker_malformed_rows(?)", _MOST):
        yield Finding(
            check="malformed",
            fact=f"row {row['row']} of {row['table']}: {row['problem']}",
            why="it is passed over, and some of these rows are never found",
            step="repair or delete it, and find the program that wrote it",
        )


def check_queues(conn: Functions) -> Iterator[Finding]:
    """Check the counts of each queue."""
    for stats in queues(conn):
        name = stats["queue"]
        if stats["dead"]:
            yield Finding(
                check="dead-letters",
                fact=f"queue {name} has {stats['dead']:,}{'' if stats['dead_is_exact'] else '+'} dead letters",
                why="these jobs have failed and do not run again by themselves",
                step=f"see them by `honker dead DB --queue {name}`, then `honker requeue` or `honker discard` them",
            )
        if stats["lapsed"]:
            yield Finding(
                check="lapsed-leases",
                fact=f"queue {name} has {stats['lapsed']:,} jobs whose lease has lapsed",
                why="their worker ended without settling them, or works longer than its lease; the next claim runs "
                "them again",
                step="start a worker of the queue; if handlers are slow, raise visibility_timeout_s",
            )
        age = stats["oldest_ready_age_s"]
        if age is not None and age > LATE_S and stats["paused_at"] is None:
            yield Finding(
                check="stalled-queues",
                fact=f"a job of queue {name} has been due for {span(age)}",
                why="no worker takes jobs of the queue, or too few do",
                step=f"start `honker worker MODULE:APP --queue {name}`, or more of them",
            )


def check_schedules(conn: Functions, tasks: Collection[str] | None, now: float) -> Iterator[Finding]:
    """Check that schedules fire and that their jobs can run.

    Args:
        conn: The connection.
        tasks: The tasks of the application, if it is known.
        now: The time of the database in Unix seconds.
    """
    for schedule in ask(conn, "SELECT honker_scheduler_list()"):
        name = schedule["name"]
        if schedule["last_error"]:
            yield Finding(
                check="schedules",
                fact=f"schedule {name} was passed over: {schedule['last_error']}",
                why="it does not fire",
                step="correct it, or remove it by Scheduler.remove",
            )
        late_s = now - schedule["next_fire_at"]
        if schedule["enabled"] and late_s > LATE_S:
            yield Finding(
                check="schedules",
                fact=f"schedule {name} was due {span(late_s)} ago",
                why="no scheduler runs, so no schedule fires",
                step="start `honker scheduler MODULE:APP`, or `honker worker MODULE:APP --with-scheduler`",
            )
        task = _task_of(schedule["payload"])
        if tasks is not None and task is not None and task not in tasks:
            yield Finding(
                check="schedules",
                fact=f"schedule {name} calls the task {task}, which the application does not have",
                why="its jobs are put back until they are dead-lettered as unknown",
                step="remove the schedule by Scheduler.remove, or bring back the task",
            )


def check_workers(conn: Functions) -> Iterator[Finding]:
    """Check that registered workers still report, and that one of them serves the queue of each schedule."""
    workers = read_workers(conn.execute("SELECT honker_worker_list(?, ?)", (None, _WORKERS)).fetchall()[0][0])
    for worker in workers:
        if worker.state == "lost":
            yield Finding(
                check="workers",
                fact=f"worker {worker.name} has not reported since {moment(worker.seen_at)}",
                why=f"it ended without a stop, or hangs; its {len(worker.running)} jobs run again after their lease",
                step=f"look at process {worker.pid} on {worker.host}, and start it again",
            )
    served = {queue for worker in workers if worker.state != "lost" for queue in worker.queues}
    for schedule in ask(conn, "SELECT honker_scheduler_list()"):
        if served and schedule["enabled"] and schedule["queue"] not in served:
            yield Finding(
                check="schedules",
                fact=f"schedule {schedule['name']} enqueues into {schedule['queue']}, which no worker serves",
                why="its jobs wait",
                step=f"start `honker worker MODULE:APP --queue {schedule['queue']}`, or pause the schedule",
            )


def _task_of(payload: str) -> str | None:
    """The task that a payload calls."""
    try:
        call = read_envelope(json.loads(payload))
    except ValueError:
        return None
    return None if call is None else call.task


def check_clock(conn: sqlite3.Connection, path: str) -> Iterator[Finding]:
    """Check that no stored time, and no time of the file, lies in the future."""
    now = time.time()
    for what, sql in _NEWEST.items():
        newest = conn.execute(sql).fetchall()[0][0]
        if isinstance(newest, (int, float)) and newest > now + CLOCK_S:
            yield _clock_finding(f"{what} has the time {moment(newest)}", newest - now)
    written_at = max(os.stat(name).st_mtime for name in (path, f"{path}-wal") if os.path.exists(name))
    if written_at > now + CLOCK_S:
        yield _clock_finding(f"the file was written at {moment(written_at)}", written_at - now)


def _clock_finding(fact: str, ahead_s: float) -> Finding:
    return Finding(
        check="clock",
        fact=f"{fact}, {span(ahead_s)} from now",
        why="the clock of this machine is behind, or that of a writer was ahead: leases, delays and schedules last "
        "longer by that time",
        step="compare the clocks of the machine and of its containers, and synchronise them (`timedatectl`)",
    )


# The times at which the newest rows were made; each is found by the primary key.
_NEWEST: Final = {
    "the newest job": "SELECT (SELECT created_at FROM main._honker_live ORDER BY id DESC LIMIT 1)",
    "the newest event": "SELECT (SELECT created_at FROM main._honker_stream ORDER BY offset DESC LIMIT 1)",
    "the newest notification": "SELECT (SELECT created_at FROM main._honker_notifications ORDER BY id DESC LIMIT 1)",
    "the newest finished job": "SELECT (SELECT finished_at FROM main._honker_finished ORDER BY id DESC LIMIT 1)",
}


def queues(conn: Functions) -> Iterator[dict[str, Any]]:
    """The counts of every queue."""
    after = None
    while page := ask(conn, "SELECT honker_queue_list(?, ?, ?)", after, _QUEUES, None):
        yield from page
        after = page[-1]["queue"]
        if len(page) < _QUEUES:
            return


def ask(conn: Functions, sql: str, *params: Any) -> list[dict[str, Any]]:
    """The JSON list that a function of the engine returns."""
    return json.loads(conn.execute(sql, params).fetchall()[0][0])
