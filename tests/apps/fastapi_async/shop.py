"""A shop with FastAPI and SQLAlchemy's AsyncSession on aiosqlite, and workers in the processes of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from honker.contrib import asgi
from honker.contrib.sqlalchemy import install
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tasks import app, invoice, mail

engine = create_async_engine("sqlite+aiosqlite:///shop.db")
install(engine)


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]


async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(create_tables())


@asynccontextmanager
async def lifespan(web: FastAPI) -> AsyncIterator[None]:
    async with asgi.lifespan(app, workers=2)(web):
        yield
    await engine.dispose()


web = FastAPI(lifespan=lifespan)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine) as session, session.begin():
        yield session


Db = Annotated[AsyncSession, Depends(get_session, scope="function")]


@web.post("/orders", status_code=201)
async def create_order(item: str, session: Db) -> int:
    order = Order(item=item)
    session.add(order)
    await session.flush()
    await invoice.enqueue_with(tx=session).aenqueue(order.id)
    await mail.enqueue_with(tx=session).aenqueue(order.id)
    if item == "unicorn":
        raise HTTPException(409, "sold out")
    return order.id


@web.get("/orders/count")
async def count_orders(session: Db) -> int:
    return await session.scalar(select(func.count()).select_from(Order)) or 0


@web.get("/events")
async def events():
    return asgi.sse(app.stream("orders"))
