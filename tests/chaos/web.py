"""The web process: it takes orders with SQLAlchemy, each with its jobs and its event in one transaction."""

import time

import honker
import sqlalchemy
from sqlalchemy.orm import Session

from . import journal, shop
from .promises import POISON_EVERY, UNFINISHED

TIMEOUT_S = 5
PAUSE_S = 0.02
# More unfinished jobs stop the orders, so that the load is as large as the workers can bear.
BACKLOG = 150


def serve():
    # Pythons without `enable_load_extension` cannot load the extension into a connection after it is made.
    engine = sqlalchemy.create_engine(
        f"sqlite:///{shop.PATH}", creator=lambda: honker.connect(shop.PATH, timeout=TIMEOUT_S, check_same_thread=False)
    )
    while True:
        take_order(engine)
        time.sleep(PAUSE_S)
        while shop.db.query(UNFINISHED)[0]["jobs"] > BACKLOG:
            time.sleep(PAUSE_S)


def take_order(engine):
    """Write an order. After the commit it is acknowledged."""
    began = time.monotonic()
    try:
        with Session(engine) as session, session.begin():
            number = session.execute(sqlalchemy.text("INSERT INTO orders DEFAULT VALUES")).lastrowid
            shop.charge.enqueue_with(tx=session)(number)
            shop.mail.enqueue_with(tx=session)(number)
            shop.render.enqueue_with(tx=session)(number)
            if number % POISON_EVERY == 0:
                shop.poison.enqueue_with(tx=session)(number)
            shop.events.publish({"number": number}, tx=session)
            shop.db.notify("orders", number, tx=session)
    except (sqlalchemy.exc.OperationalError, honker.DatabaseBusyError) as error:
        if "locked" in str(error):
            journal.write("locked", time.monotonic() - began)
        raise
    journal.write("ordered", number)
