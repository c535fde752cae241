"""The tables of the shop and the sessions to use them. They are in the same file as honker's jobs."""

import functools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from honker.contrib.sqlalchemy import install
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from examples.shop.app import app

PRICES_IN_CENTS = {"tea": 450, "cake": 320, "unicorn": 99_900}


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer: Mapped[str]
    email: Mapped[str]
    product: Mapped[str]
    quantity: Mapped[int]
    cents: Mapped[int]
    state: Mapped[str] = mapped_column(default="placed")  # then "invoiced", then "mailed"
    placed_at: Mapped[float] = mapped_column(default=time.time)

    def event(self, state: str) -> dict:
        """The event that tells pages of a new state, without the address."""
        order = {
            "id": self.id,
            "customer": self.customer,
            "product": self.product,
            "quantity": self.quantity,
            "cents": self.cents,
            "state": state,
        }
        return {"order": order}


class Invoice(Base):
    __tablename__ = "invoices"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(index=True)
    pdf: Mapped[bytes]


class Report(Base):
    __tablename__ = "reports"

    id: Mapped[int] = mapped_column(primary_key=True)
    orders: Mapped[int]
    cents: Mapped[int]
    last_order_id: Mapped[int]  # the next report begins after it


@functools.cache
def engine_on(path: str) -> Engine:
    """The engine of this process for a file. Tests use a file each."""
    engine = create_engine(f"sqlite:///{path}")
    install(engine)
    return engine


def reading() -> Session:
    return Session(engine_on(app.path))


@contextmanager
def writing() -> Iterator[Session]:
    """A session that commits at the end of the block.

    It takes the write lock first: SQLite refuses the writes of a transaction that has read before another one wrote.
    """
    with Session(engine_on(app.path)) as session, session.begin():
        session.connection(execution_options={"honker_immediate": True})
        yield session


def create_tables() -> None:
    Base.metadata.create_all(engine_on(app.path))
