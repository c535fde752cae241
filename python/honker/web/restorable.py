"""Cancelled jobs that can be restored, kept in the database: a click on Undo may reach another process of the page.

They are events of a topic, which a retention policy bounds. The name of an event holds a random secret, so that no
forged cookie makes a browser restore the jobs of others. A lock in the database lets only the first click restore them.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from honker import serialization
from honker.arguments import INT64_MAX
from honker.database import Database

#: The queue of each job, and its options for `Queue.enqueue`.
Jobs: TypeAlias = "Sequence[tuple[str, dict[str, Any]]]"

TOPIC: Final = "_page_undo"
#: Seconds for which they are kept, and the number of clicks.
_KEPT_S: Final = 3_600
_KEPT: Final = 50
#: Jobs with larger payloads are not kept.
_MAX_CHARACTERS: Final = 1_000_000

_ACQUIRE: Final = "SELECT honker_lock_acquire(?, ?, ?)"


async def keep(db: Database, jobs: Jobs) -> str | None:
    """Keep jobs, and return the name that restores them; None if they are too large."""
    if len(serialization.encode(jobs)) > _MAX_CHARACTERS:
        return None
    stream, secret = db.stream(TOPIC), secrets.token_urlsafe(12)
    # The policy alone deletes at one in 64 publishes, and payloads must not stay for so long.
    await stream.aretain(max_age_s=_KEPT_S, max_keep=_KEPT)
    await stream.aprune(older_than_s=_KEPT_S, max_keep=_KEPT)
    return f"{await stream.apublish(jobs, key=secret)}.{secret}"


async def take(db: Database, name: str) -> Jobs | None:
    """The jobs of a name, once; None if they were taken, or are kept no longer."""
    number, _, secret = name.partition(".")
    if not (number.isascii() and number.isdecimal()) or not 0 < (offset := int(number[:20])) <= INT64_MAX:
        return None
    for event in await db.stream(TOPIC).aread_since(offset - 1, 1):
        is_named = event.offset == offset and hmac.compare_digest((event.key or "").encode(), secret.encode())
        is_young = event.created_at > db.engine.clock() - _KEPT_S
        # Each click is another owner, and the lock outlives the event.
        if (
            is_named
            and is_young
            and await db.engine.acall(_ACQUIRE, f"{TOPIC}:{offset}", secrets.token_hex(8), 2 * _KEPT_S)
        ):
            return [(queue, options) for queue, options in event.payload]
    return None
