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
from honker.database import Database, open
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
    InvalidPayloadError,
    LeadershipLost,
    LockHeld,
    MalformedRowError,
    NestedTransactionError,
    NotBootstrappedError,
    QueueConflictError,
    SchemaTooNewError,
    SQLiteTooOldError,
    TransactionNotStartedError,
    UnexpectedRowsError,
    UnsupportedParameterError,
    WatcherError,
)
from honker.extension import EXTENSION_ENTRYPOINT, connect, extension_info, load_extension
from honker.job import Job
from honker.lock import Lock
from honker.pubsub import Listener, Notification
from honker.queue import Queue
from honker.schedule import CronSchedule, crontab, every_s
from honker.scheduler import Scheduler
from honker.stream import Event, Stream, StreamSubscription
from honker.transaction import Transaction
from honker.watcher import UpdateEvents

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
    "InvalidPayloadError",
    "Job",
    "LeadershipLost",
    "Listener",
    "Lock",
    "LockHeld",
    "MalformedRowError",
    "NestedTransactionError",
    "NotBootstrappedError",
    "Notification",
    "Queue",
    "QueueConflictError",
    "SQLiteTooOldError",
    "Scheduler",
    "SchemaTooNewError",
    "Stream",
    "StreamSubscription",
    "Transaction",
    "TransactionNotStartedError",
    "UnexpectedRowsError",
    "UnsupportedParameterError",
    "UpdateEvents",
    "WatcherError",
    "connect",
    "crontab",
    "every_s",
    "extension_info",
    "load_extension",
    "open",
]
