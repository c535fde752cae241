"""A shop with FastAPI and SQLAlchemy."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException
from honker.contrib import asgi
from honker.contrib.sqlalchemy import install
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tasks import app, invoice, mail

engine = create_engine("sqlite:///shop.db")
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


Base.metadata.create_all(engine)

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
    invoice.enqueue_with(tx=session)(order.id)
    mail.enqueue_with(tx=session)(order.id)
    if item == "unicorn":
        raise HTTPException(409, "sold out")
    return order.id


@web.get("/orders/count")
def count_orders(session: Db) -> int:
    return session.scalar(select(func.count()).select_from(Order)) or 0


@web.get("/events")
async def events():
    return asgi.sse(app.stream("orders"))
