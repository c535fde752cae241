"""Names kept for programs that import from ``honker._tasks``."""

from honker.errors import UnknownTaskError
from honker.task.registry import TaskRegistry, TaskSpec, registry
from honker.task.result import TaskResult
from honker.task.task import Task
from honker.worker.worker import run_workers

__all__ = ["Task", "TaskRegistry", "TaskResult", "TaskSpec", "UnknownTaskError", "registry", "run_workers"]
