"""Values of `tx=`. A line that a type checker must refuse ends with `# error:`."""

import sqlite3
from typing import Any

import aiosqlite
import honker
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session
from sqlmodel import Session as SQLModelSession

db = honker.open("app.db")
queue = db.queue("q")


@queue.task()
def send(to: str) -> None: ...


class DjangoConnection:
    """As `django.db.backends.base.base.BaseDatabaseWrapper`; Django has no types of its own."""

    connection: Any = None

    def ensure_connection(self) -> None: ...


def every_transaction(
    raw: sqlite3.Connection,
    session: Session,
    connection: Connection,
    model_session: SQLModelSession,
    django: DjangoConnection,
) -> None:
    with db.transaction() as tx:
        queue.enqueue({}, tx=tx)
        send.enqueue_with(tx=tx)("alice")
    queue.enqueue({}, tx=raw)
    queue.enqueue({}, tx=session)
    queue.enqueue({}, tx=connection)
    queue.enqueue({}, tx=model_session)
    queue.enqueue({}, tx=django)
    queue.enqueue({}, tx=None)
    db.notify("orders", {}, tx=session)
    send.s("alice").enqueue(tx=session)


async def every_async_transaction(
    raw: aiosqlite.Connection, session: AsyncSession, connection: AsyncConnection
) -> None:
    await queue.aenqueue({}, tx=raw)
    await queue.aenqueue({}, tx=session)
    await queue.aenqueue({}, tx=connection)
    await send.enqueue_with(tx=session).aenqueue("alice")


def wrong_transactions(raw: sqlite3.Connection) -> None:
    queue.enqueue({}, tx="app.db")  # error: a path
    queue.enqueue({}, tx=raw.cursor())  # error: a cursor
    queue.enqueue({}, tx=db)  # error: the database
    queue.enqueue({}, tx=True)  # error: a flag
    queue.enqueue({}, tx=db.transaction)  # error: not called
    send.enqueue_with(tx="app.db")("alice")  # error: a path
    send.s("alice").enqueue(tx=raw.cursor())  # error: a cursor
