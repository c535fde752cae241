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
from honker.queue import Queue
from honker.transaction import Transaction
from honker.watcher import UpdateEvents

__all__ = [
    "BUSY_TIMEOUT_S",
    "EXTENSION_ENTRYPOINT",
    "ArgumentOverflowError",
    "Claims",
    "ConstraintError",
    "Database",
    "DatabaseBusyError",
    "DatabaseClosedError",
    "DatabaseCorruptError",
    "DatabaseError",
    "DatabaseFullError",
    "DatabaseIOError",
    "DatabaseOpenError",
    "DatabaseReadOnlyError",
    "ExtensionNotFoundError",
    "ExtensionUnsupportedError",
    "ForkError",
    "HonkerError",
    "InternalError",
    "InterruptedStatementError",
    "InvalidArgumentError",
    "InvalidPayloadError",
    "Job",
    "MalformedRowError",
    "NestedTransactionError",
    "NotBootstrappedError",
    "Queue",
    "QueueConflictError",
    "SQLiteTooOldError",
    "SchemaTooNewError",
    "Transaction",
    "TransactionNotStartedError",
    "UnexpectedRowsError",
    "UnsupportedParameterError",
    "UpdateEvents",
    "WatcherError",
    "connect",
    "extension_info",
    "load_extension",
    "open",
]
