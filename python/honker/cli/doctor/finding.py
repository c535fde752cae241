"""A hazard that ``honker doctor`` found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A hazard.

    Attributes:
        check: The name of the check, which ``--ignore`` takes.
        fact: The fact that was seen.
        why: Its consequence.
        step: The next step.
    """

    check: str
    fact: str
    why: str
    step: str


#: The database is the target of a copy that goes on, or was interrupted.
UNFINISHED_COPY = Finding(
    check="copy",
    fact="a copy into this database has not ended",
    why="workers refuse to claim jobs, as if a newer honker were needed",
    step="run the same `honker copy` again, to its end",
)

#: The name of each check, with the hazard that it finds.
CHECKS = {
    "network-file-system": "The file is on a network file system.",
    "hard-links": "The file has several names.",
    "permissions": "The file, its -wal or its -shm has another owner or mode than the others need.",
    "wal-size": "The -wal has grown.",
    "sqlite-version": "The SQLite of this Python has a known fault.",
    "two-sqlites": "A process with the file open has two copies of SQLite.",
    "damaged": "The structure of the file is broken.",
    "journal-mode": "The file is not in WAL mode.",
    "page-size": "The pages of the file are small.",
    "trusted-schema": "Triggers call honker, and this SQLite distrusts the schema.",
    "schema": "The database needs an upgrade, or is newer than this honker.",
    "copy": "A copy into the database has not ended.",
    "replica": "The PostgreSQL server is a replica, which cannot be written.",
    "privileges": "The role has not the rights that honker needs.",
    "durability": "The PostgreSQL server may lose commits.",
    "notify": "Notifications of PostgreSQL do not arrive, so workers poll.",
    "old-snapshots": "A session or a replica keeps PostgreSQL from removing dead rows.",
    "dead-rows": "PostgreSQL has not removed dead rows of a table for long.",
    "reference": "The public honker works on the file too, and acts differently.",
    "flow": "The tables of flow control contradict each other.",
    "malformed": "A row was edited into a form that cannot be read.",
    "clock": "A stored time lies in the future.",
    "schedules": "A schedule does not fire, or its jobs have no worker.",
    "dead-letters": "A queue has dead letters.",
    "lapsed-leases": "A worker ended without settling its jobs.",
    "stalled-queues": "Jobs are due for long, and no worker takes them.",
    "workers": "A worker stopped reporting.",
}
