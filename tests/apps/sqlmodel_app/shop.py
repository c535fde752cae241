"""A shop with FastAPI and SQLModel. Its transactions take the write lock when they begin."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from honker.contrib import asgi
from honker.contrib.sqlalchemy import install
from sqlmodel import Field, Session, SQLModel, create_engine, func, select
from tasks import app, invoice, mail

engine = create_engine("sqlite:///shop.db")
install(engine, immediate=True)


class Order(SQLModel, table=True):
    __tablename__ = "orders"
    id: int | None = Field(default=None, primary_key=True)
    item: str


class Invoice(SQLModel, table=True):
    __tablename__ = "invoices"
    id: int | None = Field(default=None, primary_key=True)
    order_id: int


SQLModel.metadata.create_all(engine)

web = FastAPI(lifespan=asgi.lifespan(app))


def get_session() -> Iterator[Session]:
    with Session(engine) as session, session.begin():
        yield session


Db = Annotated[Session, Depends(get_session, scope="function")]


@web.post("/orders", status_code=201)
def create_order(item: str, session: Db) -> int:
    order = Order(item=item)
    session.add(order)
    session.flush()
    assert order.id is not None
    invoice.enqueue_with(tx=session)(order.id)
    mail.enqueue_with(tx=session)(order.id)
    if item == "unicorn":
        raise HTTPException(409, "sold out")
    return order.id


@web.get("/orders/count")
def count_orders(session: Db) -> int:
    return session.exec(select(func.count()).select_from(Order)).one()


@web.get("/events")
async def events():
    return asgi.sse(app.stream("orders"))
