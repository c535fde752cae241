"""Pausing a queue or one of its keys: methods of `honker.Queue`, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from typing import Final

from honker.arguments import Instant, TransactionLike, optional_instant
from honker.job import JobQueue

_PAUSE: Final = "SELECT honker_queue_pause(?, ?, ?)"
_RESUME: Final = "SELECT honker_queue_resume(?)"
_PAUSE_KEY: Final = "SELECT honker_key_pause(?, ?, ?, ?)"
_RESUME_KEY: Final = "SELECT honker_key_resume(?, ?)"


def pause(
    self: JobQueue, tx: TransactionLike = None, *, until: Instant | None = None, reason: str | None = None
) -> bool:
    """Stop claims until `resume`, or until a time. Jobs can still be added and settled; running jobs finish.

    A pause of a paused queue gives that pause another end and another reason.

    Args:
        tx: A transaction to pause it in.
        until: Unix seconds or a datetime, later than now, at which the pause ends, with or without a running process;
            None for no end.
        reason: At most 1,000 bytes for operators; see `stats`.

    Returns:
        True if the queue was running.

    Raises:
        InvalidArgumentError: ``until`` has passed, or ``reason`` is too long.

    Source: SQL ``honker_queue_pause``.
    """
    return bool(self.db.engine.call(_PAUSE, self.name, optional_instant(until, "until"), reason, tx=tx))


async def apause(
    self: JobQueue, tx: TransactionLike = None, *, until: Instant | None = None, reason: str | None = None
) -> bool:
    """Like `pause`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_PAUSE, self.name, optional_instant(until, "until"), reason, tx=tx))


def resume(self: JobQueue, tx: TransactionLike = None) -> bool:
    """Allow claims again. True if the queue was paused.

    Source: SQL ``honker_queue_resume``.
    """
    return bool(self.db.engine.call(_RESUME, self.name, tx=tx))


async def aresume(self: JobQueue, tx: TransactionLike = None) -> bool:
    """Like `resume`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_RESUME, self.name, tx=tx))


def pause_key(
    self: JobQueue, key: str, *, until: Instant | None = None, reason: str | None = None, tx: TransactionLike = None
) -> bool:
    """Stop claims of the jobs of one key until `resume_key`, or until a time. Other keys go on.

    Args:
        key: The key, as given to `enqueue`.
        until: As for `pause`.
        reason: As for `pause`.
        tx: A transaction to pause it in.

    Returns:
        True if the key was running.

    Raises:
        InvalidArgumentError: ``key`` is no name, ``until`` has passed, or ``reason`` is too long.

    Source: SQL ``honker_key_pause``.
    """
    end = optional_instant(until, "until")
    return bool(self.db.engine.call(_PAUSE_KEY, self.name, key, end, reason, tx=tx))


async def apause_key(
    self: JobQueue, key: str, *, until: Instant | None = None, reason: str | None = None, tx: TransactionLike = None
) -> bool:
    """Like `pause_key`, without blocking the event loop."""
    end = optional_instant(until, "until")
    return bool(await self.db.engine.acall(_PAUSE_KEY, self.name, key, end, reason, tx=tx))


def resume_key(self: JobQueue, key: str, *, tx: TransactionLike = None) -> bool:
    """Allow claims of the jobs of a paused key again. True if the key was paused.

    Source: SQL ``honker_key_resume``.
    """
    return bool(self.db.engine.call(_RESUME_KEY, self.name, key, tx=tx))


async def aresume_key(self: JobQueue, key: str, *, tx: TransactionLike = None) -> bool:
    """Like `resume_key`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_RESUME_KEY, self.name, key, tx=tx))
