"""The PDF of an invoice."""

import io
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import cm
from reportlab.pdfgen.canvas import Canvas

from examples.shop.models import Order


@dataclass(frozen=True)
class Terms:
    """The terms of payment at the time of the order."""

    due: date
    discount: Decimal = Decimal(0)  # 0.05 is five percent

    def amount(self, cents: int) -> Decimal:
        return (Decimal(cents) / 100 * (1 - self.discount)).quantize(Decimal("0.01"))


def render(order: Order, terms: Terms) -> bytes:
    pdf = io.BytesIO()
    canvas = Canvas(pdf, pagesize=A4, pageCompression=0)  # a test can read the text
    canvas.setTitle(f"Invoice {order.id}")
    canvas.setFont("Helvetica-Bold", 20)
    canvas.drawString(2 * cm, 26 * cm, f"Invoice {order.id}")
    canvas.setFont("Helvetica", 12)
    lines = [
        order.customer,
        f"{order.quantity} x {order.product}: {order.cents / 100:.2f} EUR",
        f"Discount: {terms.discount:.0%}",
        f"To pay until {terms.due:%d %B %Y}: {terms.amount(order.cents)} EUR",
    ]
    for number, line in enumerate(lines):
        canvas.drawString(2 * cm, (24 - number) * cm, line)
    canvas.save()
    return pdf.getvalue()
