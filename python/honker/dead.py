"""Dead letters: the part of a queue that is about jobs that failed for good."""

from __future__ import annotations

from honker.pool import Pool
from honker.types import Seconds, TransactionLike, optional_seconds


class DeadLetters:
    """What a queue does with jobs that are dead.

    Attributes:
        db: The database.
        name: The queue's name.
    """

    db: Pool
    name: str

    def requeue(self, job_id: int, tx: TransactionLike = None) -> bool:
        """Put a dead letter of this queue back among the waiting jobs. Whether there was one.

        It keeps its id, is due at once and has all its attempts before it again; an expiry that has passed is dropped.
        `Database.requeue` reaches every queue.

        Source: SQL ``honker_requeue``.
        """
        return bool(self.db.call("SELECT honker_requeue(?, ?)", job_id, self.name, tx=tx))

    def retain_dead(
        self, max_age_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> None:
        """Set what is kept of the queue's dead letters, for every process and for good; nothing given keeps them all.

        What neither limit keeps is deleted in passing, a little with each burial. So some more may be there for a
        while, and a queue in which no job dies any more keeps its last dead letters until `prune_dead`.

        Args:
            max_age_s: Seconds for which a dead letter is kept.
            max_keep: How many of the newest are kept, at most 10,000,000.
            tx: A transaction to set it in.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_retention_set``.
        """
        age_s = optional_seconds(max_age_s, "max_age_s")
        self.db.call("SELECT honker_retention_set('dead', ?, ?, ?)", self.name, age_s, max_keep, tx=tx)

    def prune_dead(
        self, older_than_s: Seconds | None = None, max_keep: int | None = None, tx: TransactionLike = None
    ) -> int:
        """Delete dead letters of the queue now.

        Args:
            older_than_s: Delete what died longer ago.
            max_keep: Delete all but the newest so many.
            tx: A transaction to delete them in.

        Returns:
            How many were deleted: those that either applies to.

        Raises:
            InvalidArgumentError: A value is outside its range.

        Source: SQL ``honker_dead_prune``.
        """
        age_s = optional_seconds(older_than_s, "older_than_s")
        count: int = self.db.call("SELECT honker_dead_prune(?, ?, ?)", self.name, age_s, max_keep, tx=tx)
        return count
