"""Running jobs in a test of a Django project, on the connection of the test.

`django.test.TestCase` and the fixture ``db`` of pytest-django keep the rows of a test in a transaction that is never
committed. No worker sees them, so `drain` claims, calls and settles in the thread of the test.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async

from honker.contrib.django import app
from honker.testing.draining import LIMIT, Drain, Drained, blocking, finish

__all__ = ["Drained", "drain"]

T = TypeVar("T")


def drain(queue: str | None = None, *, advance: bool = False, limit: int = LIMIT, raise_errors: bool = True) -> Drained:
    """Run the due jobs of the project, and those that they enqueue, until none is due.

    As `honker.testing.drain`, on Django's connection of this thread. The database calls of coroutines use it too.

    Args:
        queue: The queue; None means all queues that have tasks.
        advance: True to move the clock of a testing file to the next instant at which a job is due.
        limit: The largest number of attempts.
        raise_errors: True to raise the first exception of a handler, once its attempt is settled.

    Returns:
        The number of attempts by their ends.
    """
    port = blocking(app.db, _DjangoThread())
    return finish(Drain(port, app.db, queue, advance=advance, limit=limit, raise_errors=raise_errors).run())


class _DjangoThread:
    """This thread, as Django's `async_to_sync` makes it: an event loop beside it brings the database calls back."""

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""

        async def wait() -> T:
            return await coroutine

        run: Callable[[], T] = async_to_sync(wait)
        return run()

    def here(self, fn: Callable[[], T]) -> Awaitable[T]:
        """Run a function in the thread that waits."""
        return sync_to_async(fn)()
