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

from honker.claims import Claims
from honker.connection import BUSY_TIMEOUT_S
from honker.errors import (
    ArgumentOverflowError,
    ConstraintError,
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseCorruptError,
    DatabaseError,
    DatabaseFullError,
    DatabaseIOError,
    DatabaseOpenError,
    DatabaseReadOnlyError,
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
    TaskConflictError,
    TransactionNotStartedError,
    UnexpectedRowsError,
    UnknownTaskError,
    UnsupportedParameterError,
    WatcherError,
)
from honker.extension import EXTENSION_ENTRYPOINT, connect, extension_info, load_extension
from honker.handle import Database, open
from honker.job import Job
from honker.lock import Lock
from honker.outbox import Outbox
from honker.pubsub import Listener, Notification
from honker.queue import Queue
from honker.retention import Retention
from honker.schedule import CronSchedule, crontab, every_s
from honker.scheduler import Scheduler
from honker.stats import QueueStats
from honker.stream import Event, Stream, StreamSubscription
from honker.tasks import Task, TaskRegistry, TaskResult, TaskSpec, register_schedules, registry
from honker.token_bucket import TokenBucket
from honker.transaction import Transaction
from honker.watcher import UpdateEvents
from honker.worker import Worker, run_workers

__all__ = [
    "BUSY_TIMEOUT_S",
    "EXTENSION_ENTRYPOINT",
    "ArgumentOverflowError",
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
