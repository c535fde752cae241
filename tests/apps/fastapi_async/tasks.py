"""The jobs of the shop."""

import asyncio

import honker

app = honker.App("shop.db")


@app.task(queue="invoices")
def invoice(order_id: int, tx: honker.Transaction) -> None:
    tx.execute("INSERT INTO invoices (order_id) VALUES (?)", [order_id])
    app.stream("orders").publish({"invoiced": order_id}, tx=tx)


@app.task(queue="mails")
async def mail(order_id: int) -> None:
    await asyncio.sleep(0.03)  # a mail server takes its time
    with open("mails.txt", "a") as sent:
        sent.write(f"{order_id}\n")
