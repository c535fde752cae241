"""Queues, streams and tasks of an app or of a blueprint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from honker.arguments import Seconds
from honker.database import Database
from honker.middleware import Middleware
from honker.queue.queue import Queue
from honker.stream.stream import Stream
from honker.task import declaring
from honker.task.registry import TaskRegistry

M = TypeVar("M", bound=Middleware)
Hook = TypeVar("Hook", bound=Callable[[], Any])


class Declarations:
    """The common methods of `honker.App` and `honker.Blueprint`. They open nothing and run no SQL.

    Attributes:
        db: The database of this process. Its methods open it, if it is not open.
        registry: The tasks.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def db(self) -> Database:
        """The database of this process. Its methods open it, if it is not open."""
        return self._db

    @property
    def registry(self) -> TaskRegistry:
        """The tasks."""
        return self._db.registry

    def queue(self, name: str, visibility_timeout_s: Seconds | None = None, max_attempts: int | None = None) -> Queue:
        """Get the queue of that name; see `Database.queue`."""
        return self._db.queue(name, visibility_timeout_s, max_attempts)

    def stream(self, name: str) -> Stream:
        """Get the stream of that topic; see `Database.stream`."""
        return self._db.stream(name)

    task = declaring.task
    periodic_task = declaring.periodic_task

    def middleware(self, middleware: M) -> M:
        """Put a middleware around all tasks, inside those that were added before; see `honker.Middleware`."""
        self.registry.middleware.append(middleware)
        return middleware

    def on_start(self, function: Hook) -> Hook:
        """Call a function when a worker starts: a plain one in a thread. Usable as a decorator."""
        self.registry.on_start.append(function)
        return function

    def on_stop(self, function: Hook) -> Hook:
        """Call a function when a worker has stopped. Usable as a decorator."""
        self.registry.on_stop.append(function)
        return function
