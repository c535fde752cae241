"""The app of a Django project: its jobs are in a database of ``DATABASES``."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.db import connections, reset_queries

from honker.app.application import App
from honker.app.declarations import Declarations
from honker.contrib.django.engine import DjangoEngine
from honker.database import database_on
from honker.job import Job
from honker.middleware import Middleware
from honker.task.registry import TaskRegistry


class DjangoApp(App):
    """A `honker.App` on the database that the setting ``HONKER`` names; opens nothing.

    Everything that is called without ``tx=`` runs on Django's own connection: in a ``transaction.atomic()`` block it
    commits or rolls back with the block, outside it commits by itself. Coroutines use the methods that begin with
    ``a``, which go to the thread of Django's ``sync_to_async``.
    """

    def __init__(self) -> None:
        tasks = TaskRegistry()
        tasks.middleware.append(ConnectionsOfTasks())
        self._engine = DjangoEngine()
        Declarations.__init__(self, database_on(self._engine, tasks))

    def become_worker(self) -> None:
        """Let this process use connections of honker's own, as workers and schedulers need.

        Threads go on using Django's connections in transactions, so a handler that is a plain function enqueues in its
        ``atomic()``.
        """
        self._engine.is_worker = True


class ConnectionsOfTasks(Middleware):
    """Middleware that closes Django's old or broken connections around each task, as Django does for each request."""

    @contextlib.contextmanager
    def run(self, job: Job) -> Iterator[None]:
        """Around a plain function, in its thread."""
        outer = _begin()
        try:
            yield
        finally:
            _close_old_connections(outer)

    @contextlib.asynccontextmanager
    async def arun(self, job: Job) -> AsyncIterator[None]:
        """Around a coroutine, whose database calls run in the thread of ``sync_to_async``."""
        outer = await sync_to_async(_begin)()
        try:
            yield
        finally:
            await sync_to_async(_close_old_connections)(outer)


def _begin() -> set[str]:
    """Begin as a request does; return the connections in an ``atomic()`` block around the task, that of a test."""
    reset_queries()  # the log of the debug mode, which would grow with each task
    outer = {each.alias for each in connections.all(initialized_only=True) if each.in_atomic_block}
    _close_old_connections(outer)
    return outer


def _close_old_connections(kept: set[str]) -> None:
    for each in connections.all(initialized_only=True):
        if each.alias not in kept:
            each.close_if_unusable_or_obsolete()
