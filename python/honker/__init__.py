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
"""

from honker.app.application import App
from honker.app.blueprint import Blueprint
from honker.database import Database, open
from honker.engine import Transaction
from honker.errors import (
    ArgumentOverflowError as ArgumentOverflowError,
    BlockingCallError as BlockingCallError,
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
from honker.inspection import (
    Applied,
    ConsumerInfo,
    DeadGroup,
    JobDetail,
    JobPage,
    JobSummary,
    LockInfo,
    StreamInfo,
    WorkflowInfo,
    WorkflowJob,
    WorkflowPage,
)
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
from honker.sqlite.library import EXTENSION_ENTRYPOINT, extension_info
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
    "Applied",
    "Blueprint",
    "Claims",
    "ConsumerInfo",
    "CronSchedule",
    "Database",
    "DatabaseBusyError",
    "DatabaseError",
    "DeadGroup",
    "Discard",
    "EnqueuedCall",
    "Event",
    "HonkerError",
    "InvalidArgumentError",
    "Job",
    "JobDetail",
    "JobFailedError",
    "JobInfo",
    "JobPage",
    "JobSummary",
    "LeadershipLost",
    "Listener",
    "Lock",
    "LockHeld",
    "LockInfo",
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
    "StreamInfo",
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
    "WorkflowInfo",
    "WorkflowJob",
    "WorkflowPage",
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
