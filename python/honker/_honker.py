"""Under this name the reference keeps most of its package; here for those who import it from there."""

from honker.database import MAX_READERS
from honker.errors import LeadershipLost, LockHeld, Retryable, UnknownTaskError
from honker.extension import EXTENSION_ENTRYPOINT, extension_info, load_extension
from honker.handle import Database, open
from honker.job import Job
from honker.lock import Lock
from honker.outbox import Outbox
from honker.pubsub import Listener, Notification
from honker.queue import Queue
from honker.schedule import CronSchedule, crontab, every_s
from honker.scheduler import Scheduler
from honker.stream import Event, Stream
from honker.tasks import TaskRegistry, TaskResult, TaskSpec, registry
from honker.transaction import Transaction
from honker.watcher import UpdateEvents
from honker.worker import run_workers

__all__ = [
    "EXTENSION_ENTRYPOINT",
    "MAX_READERS",
    "CronSchedule",
    "Database",
    "Event",
    "Job",
    "LeadershipLost",
    "Listener",
    "Lock",
    "LockHeld",
    "Notification",
    "Outbox",
    "Queue",
    "Retryable",
    "Scheduler",
    "Stream",
    "TaskRegistry",
    "TaskResult",
    "TaskSpec",
    "Transaction",
    "UnknownTaskError",
    "UpdateEvents",
    "crontab",
    "every_s",
    "extension_info",
    "load_extension",
    "open",
    "registry",
    "run_workers",
]
