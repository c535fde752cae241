"""An application that is declared without opening anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Final, Self, Unpack

from honker.app.blueprint import Blueprint
from honker.app.declarations import Declarations
from honker.app.lifespan import lifespan
from honker.codec import Codec
from honker.database import database_on
from honker.errors import InvalidArgumentError
from honker.middleware import Middleware
from honker.opening import OpenOptions, database_location, opener
from honker.postgres.location import without_password
from honker.sqlite.process_engine import ProcessEngine
from honker.task.registry import TaskRegistry
from honker.worker.runner import GRACE_S
from honker.worker.worker import Worker

#: The environment variable with the path of an app that has none.
PATH_VARIABLE: Final = "HONKER_DATABASE"


class App(Declarations):
    """The queues and tasks of an application, declared when its modules are imported and opened at first use.

    ``app = honker.App("shop.db")``, then ``@app.task(queue="emails")`` above functions. Importing the modules opens
    nothing. Each process opens the database at its first use, a forked child included, and once: threads that race for
    it share it. Tasks, queues and streams that were handed out earlier always use the database of the app at that
    moment: after a fork, after `close`, and in the block of `using`.

    Args:
        path: The database file, or a ``file:`` URI; created if it is missing. A relative path counts from the working
            directory of this call. None takes the environment variable ``HONKER_DATABASE`` at each opening.
        imports: Names of the modules that define tasks. Workers and schedulers import them before they start, so the
            module of the app need not.
        codec: The codec of payloads and results, see `honker.codec`; None is plain JSON.
        middleware: The middleware around its tasks, the outermost first.
        **open_options: The options of `honker.open`.

    Attributes:
        db: The database of this process.
        path: The database file.
        registry: Its tasks, of which only its workers know.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        imports: Iterable[str] = (),
        codec: Codec | None = None,
        middleware: Iterable[Middleware] = (),
        **open_options: Unpack[OpenOptions],
    ) -> None:
        unknown = open_options.keys() - OpenOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"honker.App has no option {', '.join(sorted(unknown))}; see honker.open for its options")
        tasks = TaskRegistry(imports)
        tasks.codec = codec
        tasks.middleware = list(middleware)
        self._engine = ProcessEngine(_path_finder(path), opener(open_options))
        super().__init__(database_on(self._engine, tasks))

    def __repr__(self) -> str:
        try:
            return f"<honker.App {self.path!r}>"
        except InvalidArgumentError:
            return "<honker.App without a path>"

    @property
    def path(self) -> str:
        """The database file: an absolute path, or a ``file:`` URI with one; or a URL without its password.

        Raises:
            InvalidArgumentError: The app has no path, and ``HONKER_DATABASE`` is not set.
        """
        return without_password(self._engine.path)

    def include(self, blueprint: Blueprint) -> None:
        """Add the queues and tasks of a blueprint, those that are declared there later included. Idempotent.

        Raises:
            InvalidArgumentError: It is part of another app.
            QueueConflictError: One of its queues has other options here.
            TaskConflictError: A task here has the name of one of its tasks.
        """
        blueprint.join(self)

    @contextmanager
    def using(self, path: str | os.PathLike[str]) -> Generator[Self]:
        """Use another file in the block, for tests: tasks and queues that were handed out earlier do so too.

        It holds for all threads of this process, and for children that are forked in the block. Blocks may be nested.
        The file is created if it is missing, and closed at the end.

        Args:
            path: The file, or a ``file:`` URI.

        Raises:
            InvalidArgumentError: The path is invalid.
        """
        with self._engine.using(database_location(path)):
            yield self

    @asynccontextmanager
    async def lifespan(
        self, *, workers: int | None = None, scheduler: bool | None = None, grace_s: float = GRACE_S
    ) -> AsyncGenerator[Self]:
        """Run workers and the scheduler in this process for the length of an ``async with`` block.

        For servers of one process, or of several: each runs its own workers, and one scheduler leads while the others
        stand by. At the end no more jobs are claimed, handlers have the grace period to end, and the database is
        closed. If the workers fail in between, the error is logged at once and raised at the end.

        Args:
            workers: Handlers at once, for each queue with tasks; None means the number of processors, 0 runs none.
            scheduler: True runs the scheduler; None does so if the app has periodic tasks.
            grace_s: Seconds that handlers have to end after the block; then their jobs are given back, uncharged.

        Raises:
            NoTasksError: There are workers to run and no tasks.
            DatabaseError: The database cannot be opened.
        """
        try:
            async with lifespan(self.db, workers=workers, scheduler=scheduler, grace_s=grace_s):
                yield self
        finally:
            await self.aclose()

    def worker(self, queue: str = "default", **options: Any) -> Worker:
        """Make a worker for one queue, to run it with ``await worker.run()``. Opens the database.

        Args:
            queue: The queue's name.
            **options: The options of `honker.Worker`.
        """
        self.registry.load()
        return Worker(self.queue(queue), **options)

    def close(self) -> None:
        """Close the database of this process. Idempotent; the next use opens it again."""
        self._engine.close()

    async def aclose(self) -> None:
        """Like `close`, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _path_finder(path: str | os.PathLike[str] | None) -> Callable[[], str]:
    if path is None:
        return _path_of_environment
    absolute = database_location(path)
    return lambda: absolute


def _path_of_environment() -> str:
    path = os.environ.get(PATH_VARIABLE)
    if not path:
        raise InvalidArgumentError(
            f"the app has no database: pass a path, as in honker.App('app.db'), or set {PATH_VARIABLE}; "
            "a test uses app.using(path)"
        )
    return database_location(path)
