"""Code around the enqueueing and the running of tasks, and hooks for the start and the end of a worker."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from honker.job import Job

#: A function that a worker calls when it starts or has stopped; an awaitable that it returns is awaited.
Hook: TypeAlias = "Callable[[], Awaitable[object] | object]"


@dataclass(frozen=True, slots=True)
class EnqueuedCall:
    """A call of a task that is about to be enqueued.

    Attributes:
        task: The task's name.
        queue: The queue's name.
        args: Its positional arguments, without those that come from the parents of a workflow.
        kwargs: Its keyword arguments.
        headers: Travels with the job, as `honker.Job.headers`: a dict to fill with text and other values of JSON.
    """

    task: str
    queue: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    headers: dict[str, Any] = field(default_factory=dict[str, Any])


class Middleware:
    """Code around the enqueueing and the running of tasks: tracing, tenants, error reports, connections.

    Subclass it, and override one of the methods or both. Add an instance by ``app.middleware(...)`` or
    ``honker.registry().middleware.append(...)`` before workers start. The first of several is the outermost.

        class Tenancy(honker.Middleware):
            def enqueue(self, call):
                call.headers["tenant"] = tenant.get()

            @contextlib.contextmanager
            def run(self, job):
                token = tenant.set(job.headers.get("tenant"))
                try:
                    yield
                finally:
                    tenant.reset(token)

    It sees calls of tasks. Payloads that are enqueued raw, jobs of `honker call` and those that a schedule enqueues
    pass `enqueue` by, and have no headers.
    """

    def enqueue(self, call: EnqueuedCall) -> None:
        """Called before a call is enqueued, in any way: to fill `EnqueuedCall.headers`, or to refuse the call.

        An exception refuses it: nothing is enqueued, and the caller gets the exception. For a workflow or `Task.map`
        it is called for each job before the first is written, so an exception refuses all. Async callers call it on
        the event loop, so it must not block.
        """

    def run(self, job: Job) -> AbstractContextManager[object]:
        """Entered before the handler of a job is called, and left after it has ended.

        A plain handler is called within the same thread and context, so that it sees context variables. The handler's
        exception is raised at the ``yield``. An exception from here counts as the failure of the attempt, like one of
        the handler: `honker.Snooze` and `honker.Discard` work too. An exception that is swallowed makes the attempt a
        success without a result; a swallowed cancellation still ends it. For a handler with a transaction, the end of
        this precedes the commit.
        """
        return contextlib.nullcontext()

    def arun(self, job: Job) -> AbstractAsyncContextManager[object]:
        """Like `run`, around handlers on the event loop; by default it uses `run`, which must not block then.

        Override it for code that awaits. A coroutine handler is called within the same asyncio task and context. For a
        handler in another process it runs in the worker, around the call of that process, which sees no context
        variables of it; a failure there is raised as `honker.errors.HandlerProcessError`.
        """
        return _as_async(self.run(job))


@contextlib.asynccontextmanager
async def _as_async(context: AbstractContextManager[object]) -> AsyncGenerator[None]:
    with context:
        yield


def headers_for(
    middleware: Sequence[Middleware], task: str, queue: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The headers of a call, from all middleware in order; None without any."""
    if not middleware:
        return None
    call = EnqueuedCall(task, queue, args, kwargs)
    for each in middleware:
        each.enqueue(call)
    return call.headers or None


def enter_all(stack: ExitStack, middleware: Sequence[Middleware], job: Job) -> None:
    """Enter the `Middleware.run` of all middleware, the first outermost."""
    for each in middleware:
        stack.enter_context(each.run(job))


async def enter_all_async(stack: AsyncExitStack, middleware: Sequence[Middleware], job: Job) -> None:
    """Enter the `Middleware.arun` of all middleware, the first outermost."""
    for each in middleware:
        await stack.enter_async_context(each.arun(job))
