"""A claim whose caller is cancelled: its jobs are released."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Final

from honker.arguments import Call
from honker.engine import Engine
from honker.errors import HonkerError

_RELEASE: Final = "SELECT honker_release(?, ?, ?)"

# An event loop keeps weak references only.
_releasing: Final[set[asyncio.Task[None]]] = set()


async def claim_or_release(engine: Engine, call: Call) -> str:
    """The answer of a claim. If the caller is cancelled meanwhile, the claim goes on, and then its jobs are released.

    Args:
        engine: The engine.
        call: The call that claims.
    """
    claiming = asyncio.ensure_future(engine.acall(*call))
    try:
        answer: str = await asyncio.shield(claiming)
    except asyncio.CancelledError:
        task = asyncio.ensure_future(_release_after(engine, claiming))
        _releasing.add(task)
        task.add_done_callback(_releasing.discard)
        raise
    return answer


async def _release_after(engine: Engine, claiming: asyncio.Future[Any]) -> None:
    with contextlib.suppress(HonkerError):  # Then the leases lapse.
        for row in json.loads(await claiming):
            await engine.acall(_RELEASE, row["id"], row["worker_id"], row["attempts"])
