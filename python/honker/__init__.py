"""Durable job queues and more inside your SQLite file.

import honker

with honker.open("app.db") as db:
    emails = db.queue("emails")
    with db.transaction() as tx:
        tx.execute("INSERT INTO orders (customer) VALUES (?)", ("alice",))
        emails.enqueue({"to": "alice"}, tx=tx)  # exists if and only if the order does

    for job in emails.claim("worker-1"):
        send(job.payload)
        job.ack()

`import honker` imports the errors. Each other name imports its module when it is first used.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Final

from honker.errors import (
    ArgumentOverflowError as ArgumentOverflowError,
    BlockingCallError as BlockingCallError,
    ConnectionLostError as ConnectionLostError,
    ConstraintError as ConstraintError,
    DatabaseBusyError,
    DatabaseClosedError as DatabaseClosedError,
    DatabaseCorruptError as DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError as DatabaseFullError,
    DatabaseIOError as DatabaseIOError,
    DatabaseOpenError as DatabaseOpenError,
    DatabaseReadOnlyError as DatabaseReadOnlyError,
    DatabaseReplacedError as DatabaseReplacedError,
    DeadlockError as DeadlockError,
    Discard,
    ExtensionLoadingUnsupported as ExtensionLoadingUnsupported,
    ExtensionNotFoundError as ExtensionNotFoundError,
    ExtensionUnsupportedError as ExtensionUnsupportedError,
    ForkError as ForkError,
    HandlerProcessError as HandlerProcessError,
    HonkerError,
    InternalError as InternalError,
    InterruptedStatementError as InterruptedStatementError,
    InvalidArgumentError,
    InvalidCallError as InvalidCallError,
    InvalidDeliveryError as InvalidDeliveryError,
    InvalidPayloadError as InvalidPayloadError,
    InvalidScheduleError as InvalidScheduleError,
    InvalidTaskError as InvalidTaskError,
    InvalidValueError as InvalidValueError,
    JobCancelledError as JobCancelledError,
    JobFailedError,
    LeadershipLost,
    LockHeld,
    MalformedRowError as MalformedRowError,
    NameTakenError as NameTakenError,
    NestedTransactionError as NestedTransactionError,
    NoTasksError as NoTasksError,
    NotBootstrappedError as NotBootstrappedError,
    OutboxConflictError as OutboxConflictError,
    PayloadMismatchError as PayloadMismatchError,
    QueueConflictError as QueueConflictError,
    RateLimited,
    ResultGoneError as ResultGoneError,
    Retryable,
    SchemaTooNewError as SchemaTooNewError,
    Snooze,
    SQLiteTooOldError as SQLiteTooOldError,
    StaleSnapshotError as StaleSnapshotError,
    StartHookError as StartHookError,
    TaskConflictError as TaskConflictError,
    TransactionNotStartedError as TransactionNotStartedError,
    TwoSQLitesError as TwoSQLitesError,
    UnexpectedRowsError as UnexpectedRowsError,
    UniqueKeyTakenError as UniqueKeyTakenError,
    UnknownParentError as UnknownParentError,
    UnknownTaskError,
    UnreadablePayloadError as UnreadablePayloadError,
    UnsupportedParameterError as UnsupportedParameterError,
    WatcherError as WatcherError,
)

if TYPE_CHECKING:
    from honker.app.application import App
    from honker.app.blueprint import Blueprint
    from honker.database import Database, open
    from honker.engine import Transaction
    from honker.job import Job, JobInfo
    from honker.lock import Lock
    from honker.middleware import EnqueuedCall, Middleware
    from honker.queue.claims import Claims
    from honker.queue.queue import Queue
    from honker.queue.stats import QueueStats
    from honker.rate_limit import TokenBucket
    from honker.schedule.cron import CronSchedule, crontab, every_s
    from honker.schedule.registration import register_schedules
    from honker.schedule.scheduler import ScheduleInfo, Scheduler
    from honker.sqlite.auto_extension import register_auto_extension, unregister_auto_extension
    from honker.sqlite.connection import BUSY_TIMEOUT_S as BUSY_TIMEOUT_S
    from honker.sqlite.extension import connect, load_extension
    from honker.sqlite.extension_file import EXTENSION_ENTRYPOINT, extension_info
    from honker.sqlite.watcher import UpdateEvents
    from honker.stream.event import Event
    from honker.stream.notifications import Listener, Notification
    from honker.stream.retention import Retention
    from honker.stream.stream import Stream
    from honker.stream.subscription import StreamSubscription
    from honker.task.call import TaskCall
    from honker.task.registry import TaskRegistry, TaskSpec, registry
    from honker.task.result import TaskResult
    from honker.task.running import current_job
    from honker.task.step import chain, chord, group
    from honker.task.task import Task
    from honker.task.workflow import Workflow
    from honker.task.workflow_result import WorkflowResult
    from honker.worker.outbox import Outbox
    from honker.worker.worker import Worker, run_workers

# The names to use. The other errors are importable from here as before, and documented in `honker.errors`.
__all__ = [
    "EXTENSION_ENTRYPOINT",
    "App",
    "Blueprint",
    "Claims",
    "CronSchedule",
    "Database",
    "DatabaseBusyError",
    "DatabaseError",
    "Discard",
    "EnqueuedCall",
    "Event",
    "HonkerError",
    "InvalidArgumentError",
    "Job",
    "JobFailedError",
    "JobInfo",
    "LeadershipLost",
    "Listener",
    "Lock",
    "LockHeld",
    "Middleware",
    "Notification",
    "Outbox",
    "Queue",
    "QueueStats",
    "RateLimited",
    "Retention",
    "Retryable",
    "ScheduleInfo",
    "Scheduler",
    "Snooze",
    "Stream",
    "StreamSubscription",
    "Task",
    "TaskCall",
    "TaskRegistry",
    "TaskResult",
    "TaskSpec",
    "TokenBucket",
    "Transaction",
    "UnknownTaskError",
    "UpdateEvents",
    "Worker",
    "Workflow",
    "WorkflowResult",
    "chain",
    "chord",
    "connect",
    "crontab",
    "current_job",
    "every_s",
    "extension_info",
    "group",
    "load_extension",
    "open",
    "register_auto_extension",
    "register_schedules",
    "registry",
    "run_workers",
    "unregister_auto_extension",
]

#: The modules of the names above that are imported at first use, as in the imports for type checkers.
_MODULES: Final = {
    name: module
    for module, names in {
        "app.application": ("App",),
        "app.blueprint": ("Blueprint",),
        "database": ("Database", "open"),
        "engine": ("Transaction",),
        "job": ("Job", "JobInfo"),
        "lock": ("Lock",),
        "middleware": ("EnqueuedCall", "Middleware"),
        "queue.claims": ("Claims",),
        "queue.queue": ("Queue",),
        "queue.stats": ("QueueStats",),
        "rate_limit": ("TokenBucket",),
        "schedule.cron": ("CronSchedule", "crontab", "every_s"),
        "schedule.registration": ("register_schedules",),
        "schedule.scheduler": ("ScheduleInfo", "Scheduler"),
        "sqlite.auto_extension": ("register_auto_extension", "unregister_auto_extension"),
        "sqlite.connection": ("BUSY_TIMEOUT_S",),
        "sqlite.extension": ("connect", "load_extension"),
        "sqlite.extension_file": ("EXTENSION_ENTRYPOINT", "extension_info"),
        "sqlite.watcher": ("UpdateEvents",),
        "stream.event": ("Event",),
        "stream.notifications": ("Listener", "Notification"),
        "stream.retention": ("Retention",),
        "stream.stream": ("Stream",),
        "stream.subscription": ("StreamSubscription",),
        "task.call": ("TaskCall",),
        "task.registry": ("TaskRegistry", "TaskSpec", "registry"),
        "task.result": ("TaskResult",),
        "task.running": ("current_job",),
        "task.step": ("chain", "chord", "group"),
        "task.task": ("Task",),
        "task.workflow": ("Workflow",),
        "task.workflow_result": ("WorkflowResult",),
        "worker.outbox": ("Outbox",),
        "worker.worker": ("Worker", "run_workers"),
    }.items()
    for name in names
}

#: The modules that are attributes of this one without an import of their own, as in `honker.codec`.
_SUBMODULES: Final = frozenset(
    {
        "app",
        "arguments",
        "clock",
        "codec",
        "counters",
        "database",
        "engine",
        "inspection",
        "job",
        "lock",
        "malformed",
        "middleware",
        "opening",
        "postgres",
        "process_space",
        "queue",
        "rate_limit",
        "records",
        "schedule",
        "serialization",
        "sqlite",
        "stream",
        "task",
        "web",
        "worker",
    }
)

if not TYPE_CHECKING:  # For a type checker, this function would make every misspelled name an attribute.

    def __getattr__(name: str) -> object:
        if name in _SUBMODULES:
            return importlib.import_module(f"{__name__}.{name}")
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
        return value


def __dir__() -> set[str]:
    return {*globals(), *_MODULES, *_SUBMODULES}
