"""Names kept for programs that import from ``honker._honker``."""

from honker.database import Database, open
from honker.engine import Transaction
from honker.errors import LeadershipLost, LockHeld, Retryable, UnknownTaskError
from honker.job import Job
from honker.lock import Lock
from honker.opening import MAX_READERS
from honker.queue.queue import Queue
from honker.schedule.cron import CronSchedule, crontab, every_s
from honker.schedule.scheduler import Scheduler
from honker.sqlite.extension import load_extension
from honker.sqlite.extension_file import EXTENSION_ENTRYPOINT, extension_info
from honker.sqlite.watcher import UpdateEvents
from honker.stream.event import Event
from honker.stream.notifications import Listener, Notification
from honker.stream.stream import Stream
from honker.task.registry import TaskRegistry, TaskSpec, registry
from honker.task.result import TaskResult
from honker.worker.outbox import Outbox
from honker.worker.worker import run_workers

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
