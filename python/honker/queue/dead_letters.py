"""Dead letters: the methods of `honker.Queue` of these names, which the class binds."""

# Docstrings do not describe `self`.
# ruff: noqa: D417

from __future__ import annotations

from typing import Final

from honker.arguments import Call, Seconds, TransactionLike, optional_seconds
from honker.job import JobQueue

_REQUEUE: Final = "SELECT honker_requeue(?, ?)"
_RETAIN: Final = "SELECT honker_retention_set('dead', ?, ?, ?)"
_PRUNE: Final = "SELECT honker_dead_prune(?, ?, ?)"


def requeue(self: JobQueue, job_id: int, tx: TransactionLike = None) -> bool:
    """Return a dead letter of this queue to the waiting jobs. True if a job was requeued.

    The job keeps its id, is due at once and has its full number of attempts again. A past expiry is removed.
    `Database.requeue` reaches every queue.

    Source: SQL ``honker_requeue``.
    """
    return bool(self.db.engine.call(_REQUEUE, job_id, self.name, tx=tx))


async def arequeue(self: JobQueue, job_id: int, tx: TransactionLike = None) -> bool:
    """Like `requeue`, without blocking the event loop."""
    return bool(await self.db.engine.acall(_REQUEUE, job_id, self.name, tx=tx))


def retain_dead(
    self: JobQueue, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
) -> None:
    """Set the retention of the queue's dead letters, permanently and for every process.

    Without limits, all dead letters are kept. Rows beyond a limit are deleted in small steps, each time a job is
    dead-lettered. So a queue may exceed its limits for a while. If no more jobs are dead-lettered, the last rows
    remain until `prune_dead`.

    Args:
        max_age_s: Seconds to keep a dead letter.
        max_keep: The number of newest dead letters to keep, at most 10,000,000.
        tx: A transaction to set it in.

    Raises:
        InvalidArgumentError: A value is outside its range.

    Source: SQL ``honker_retention_set``.
    """
    self.db.engine.call(*_retain_call(self.name, max_age_s, max_keep), tx=tx)


async def aretain_dead(
    self: JobQueue, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
) -> None:
    """Like `retain_dead`, without blocking the event loop."""
    await self.db.engine.acall(*_retain_call(self.name, max_age_s, max_keep), tx=tx)


def prune_dead(
    self: JobQueue, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
) -> int:
    """Delete dead letters of the queue now.

    Args:
        older_than_s: Delete jobs that were dead-lettered more than this many seconds ago.
        max_keep: Delete all but this many of the newest.
        tx: A transaction to delete them in.

    Returns:
        The number of deleted rows, which are those beyond either limit.

    Raises:
        InvalidArgumentError: A value is outside its range.

    Source: SQL ``honker_dead_prune``.
    """
    return self.db.engine.call(*_prune_call(self.name, older_than_s, max_keep), tx=tx)


async def aprune_dead(
    self: JobQueue, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
) -> int:
    """Like `prune_dead`, without blocking the event loop."""
    return await self.db.engine.acall(*_prune_call(self.name, older_than_s, max_keep), tx=tx)


def _retain_call(queue: str, max_age_s: Seconds | None, max_keep: int | None) -> Call:
    return _RETAIN, queue, optional_seconds(max_age_s, "max_age_s"), max_keep


def _prune_call(queue: str, older_than_s: Seconds | None, max_keep: int | None) -> Call:
    return _PRUNE, queue, optional_seconds(older_than_s, "older_than_s"), max_keep
