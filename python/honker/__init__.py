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

from honker.database import Database, open
from honker.engine import Transaction
from honker.errors import (
    ArgumentOverflowError,
    BlockingCallError,
    ConstraintError,
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError,
    DatabaseIOError,
    DatabaseOpenError,
    DatabaseReadOnlyError,
    DatabaseReplacedError,
    ExtensionNotFoundError,
    ExtensionUnsupportedError,
    ForkError,
    HonkerError,
    InternalError,
    InterruptedStatementError,
    InvalidArgumentError,
    InvalidDeliveryError,
    InvalidPayloadError,
    InvalidTaskError,
    JobCancelledError,
    JobFailedError,
    LeadershipLost,
    LockHeld,
    MalformedRowError,
    NestedTransactionError,
    NoTasksError,
    NotBootstrappedError,
    OutboxConflictError,
    QueueConflictError,
    ResultGoneError,
    Retryable,
    SchemaTooNewError,
    SQLiteTooOldError,
    StaleSnapshotError,
    TaskConflictError,
    TransactionNotStartedError,
    UnexpectedRowsError,
    UnknownTaskError,
    UnreadablePayloadError,
    UnsupportedParameterError,
    WatcherError,
)
from honker.job import Job
from honker.lock import Lock
from honker.queue.claims import Claims
from honker.queue.queue import Queue
from honker.queue.stats import QueueStats
from honker.rate_limit import TokenBucket
from honker.schedule.cron import CronSchedule, crontab, every_s
from honker.schedule.registration import register_schedules
from honker.schedule.scheduler import Scheduler
from honker.sqlite.connection import BUSY_TIMEOUT_S
from honker.sqlite.extension import EXTENSION_ENTRYPOINT, connect, extension_info, load_extension
from honker.sqlite.watcher import UpdateEvents
from honker.stream.event import Event
from honker.stream.notifications import Listener, Notification
from honker.stream.retention import Retention
from honker.stream.stream import Stream
from honker.stream.subscription import StreamSubscription
from honker.task.registry import TaskRegistry, TaskSpec, registry
from honker.task.result import TaskResult
from honker.task.task import Task
from honker.worker.outbox import Outbox
from honker.worker.worker import Worker, run_workers

__all__ = [
    "BUSY_TIMEOUT_S",
    "EXTENSION_ENTRYPOINT",
    "ArgumentOverflowError",
    "BlockingCallError",
    "Claims",
    "ConstraintError",
    "CronSchedule",
    "Database",
    "DatabaseBusyError",
    "DatabaseClosedError",
    "DatabaseCorruptError",
    "DatabaseError",
    "DatabaseFullError",
    "DatabaseIOError",
    "DatabaseOpenError",
    "DatabaseReadOnlyError",
    "DatabaseReplacedError",
    "Event",
    "ExtensionNotFoundError",
    "ExtensionUnsupportedError",
    "ForkError",
    "HonkerError",
    "InternalError",
    "InterruptedStatementError",
    "InvalidArgumentError",
    "InvalidDeliveryError",
    "InvalidPayloadError",
    "InvalidTaskError",
    "Job",
    "JobCancelledError",
    "JobFailedError",
    "LeadershipLost",
    "Listener",
    "Lock",
    "LockHeld",
    "MalformedRowError",
    "NestedTransactionError",
    "NoTasksError",
    "NotBootstrappedError",
    "Notification",
    "Outbox",
    "OutboxConflictError",
    "Queue",
    "QueueConflictError",
    "QueueStats",
    "ResultGoneError",
    "Retention",
    "Retryable",
    "SQLiteTooOldError",
    "Scheduler",
    "SchemaTooNewError",
    "StaleSnapshotError",
    "Stream",
    "StreamSubscription",
    "Task",
    "TaskConflictError",
    "TaskRegistry",
    "TaskResult",
    "TaskSpec",
    "TokenBucket",
    "Transaction",
    "TransactionNotStartedError",
    "UnexpectedRowsError",
    "UnknownTaskError",
    "UnreadablePayloadError",
    "UnsupportedParameterError",
    "UpdateEvents",
    "WatcherError",
    "Worker",
    "connect",
    "crontab",
    "every_s",
    "extension_info",
    "load_extension",
    "open",
    "register_schedules",
    "registry",
    "run_workers",
]
