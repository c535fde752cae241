"""Calls that take arguments from the jobs they waited for: the worker reads the outcomes of these first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from honker.codec import Codec
from honker.errors import InvalidCallError, PayloadMismatchError, UnreadablePayloadError
from honker.job import Job
from honker.task.parents import FromParents, Parent, read_parents
from honker.worker.settlement import Ack, Fail

T = TypeVar("T")

_PARENTS: Final = "SELECT honker_job_parents(?)"
#: Characters of outcomes that are decoded on the event loop; more would hold up other handlers.
_LOOP_CHARS: Final = 64 * 1024


async def with_parents(
    job: Job, taken: FromParents, args: list[Any], call: Callable[[list[Any]], T], codec: Codec | None = None
) -> T | Ack | Fail:
    """The call of a job with the arguments from its parents, or the settlement of a job without a call.

    Args:
        job: The job.
        taken: The arguments that it takes.
        args: Its own, which follow them.
        call: Makes the call from all of these.
        codec: The codec that wrote the results of the parents.
    """
    text: str = await job.queue.db.engine.aask(_PARENTS, job.id)
    try:
        is_long = len(text) > _LOOP_CHARS
        parents: list[Parent] = (
            await asyncio.to_thread(read_parents, text, codec) if is_long else read_parents(text, codec)
        )
        if not taken.applies(parents):
            return Ack()
        return call([*taken.arguments(parents), *args])
    except PayloadMismatchError as error:
        return Fail(str(error))
    except UnreadablePayloadError as error:
        return Fail(f"the result of a parent is not JSON: {error}")
    except InvalidCallError as error:
        return Fail(str(error))
