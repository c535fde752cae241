"""Under this name the reference keeps its tasks; here for those who import it from there."""

from honker.errors import UnknownTaskError
from honker.tasks import Task, TaskRegistry, TaskResult, TaskSpec, registry
from honker.worker import run_workers

__all__ = ["Task", "TaskRegistry", "TaskResult", "TaskSpec", "UnknownTaskError", "registry", "run_workers"]
