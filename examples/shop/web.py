"""The web server: a page, a form that orders, and the live events of all orders."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from honker.contrib import asgi
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from examples.shop.app import app, events
from examples.shop.invoice import Terms
from examples.shop.models import PRICES_IN_CENTS, Invoice, Order, Report, reading, writing
from examples.shop.tasks import make_invoice

STATIC = Path(__file__).parent / "static"
# The page uses its own files and nothing else.
CONTENT_SECURITY_POLICY = "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
DAYS_TO_PAY = 14
MANY = 10
SHOWN = 1000

web = FastAPI(title="Shop", lifespan=asgi.lifespan(app))
web.mount("/static", StaticFiles(directory=STATIC))


class NewOrder(BaseModel):
    customer: str = Field(min_length=1, max_length=100)
    email: str = Field(pattern=r"^[A-Za-z0-9_.+-]+@[A-Za-z0-9.-]+$", max_length=200)
    product: Literal["tea", "cake", "unicorn"]
    quantity: int = Field(ge=1, le=100)


# Scope "function": the transaction commits before the response is sent.
def get_writing() -> Iterator[Session]:
    with writing() as session:
        yield session


def get_reading() -> Iterator[Session]:
    with reading() as session:
        yield session


Writing = Annotated[Session, Depends(get_writing, scope="function")]
Reading = Annotated[Session, Depends(get_reading, scope="function")]


@web.post("/orders", status_code=201)
def place_order(new: NewOrder, session: Writing) -> dict[str, int]:
    """Store an order, its job and its event in one transaction: all of them exist, or none."""
    order = Order(**new.model_dump(), cents=PRICES_IN_CENTS[new.product] * new.quantity)
    session.add(order)
    session.flush()  # gives the order its id
    discount = Decimal("0.05") if new.quantity >= MANY else Decimal(0)
    terms = Terms(due=date.today() + timedelta(days=DAYS_TO_PAY), discount=discount)
    make_invoice.enqueue_with(tx=session)(order.id, terms)
    events.publish(order.event("placed"), tx=session)
    return {"id": order.id}


@web.get("/orders")
def list_orders(session: Reading) -> dict:
    """The newest orders and the last report, as their events describe them."""
    orders = session.scalars(select(Order).order_by(Order.id.desc()).limit(SHOWN))
    report = session.scalars(select(Report).order_by(Report.id.desc()).limit(1)).first()
    return {
        "orders": [order.event(order.state)["order"] for order in orders][::-1],
        "report": report and {"orders": report.orders, "cents": report.cents},
    }


@web.get("/invoices/{order_id}.pdf")
def get_invoice(order_id: int, session: Reading) -> Response:
    invoice = session.scalars(select(Invoice).where(Invoice.order_id == order_id)).first()
    if invoice is None:
        raise HTTPException(404, "there is no such invoice yet")
    return Response(invoice.pdf, media_type="application/pdf")


@web.get("/events")
async def follow_events() -> Response:
    return asgi.sse(events)


@web.get("/")
async def page() -> Response:
    return FileResponse(STATIC / "index.html")


@web.middleware("http")
async def protect(request: Request, call_next) -> Response:
    response = await call_next(request)
    response.headers["content-security-policy"] = CONTENT_SECURITY_POLICY
    return response
