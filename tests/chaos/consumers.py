"""The consumers of the stream of orders, one with `for` in a thread, the other with `async for`."""

import asyncio

from . import journal, shop

INSERT = "INSERT INTO projected VALUES (?, ?, ?)"


def consume():
    """Run both. The first that fails ends the process."""
    asyncio.run(_both())


async def _both():
    blocking = asyncio.get_running_loop().run_in_executor(None, consume_blocking)
    awaiting = asyncio.ensure_future(consume_awaiting())
    done, others = await asyncio.wait([blocking, awaiting], return_when=asyncio.FIRST_COMPLETED)
    shop.db.close()  # ends the other one too, with an error of its own
    await asyncio.gather(*others, return_exceptions=True)
    for each in done:
        each.result()


def consume_blocking(consumer="blocking"):
    for event in shop.events.subscribe(consumer, save_every_n=0, save_every_s=0):
        with shop.db.transaction() as tx:
            tx.execute(INSERT, [consumer, event.payload["number"], event.offset])
            shop.events.save_offset(consumer, event.offset, tx=tx)
        journal.write("consumed", consumer)


async def consume_awaiting(consumer="awaiting"):
    async for event in await shop.events.asubscribe(consumer, save_every_n=0, save_every_s=0):
        async with shop.db.transaction() as tx:
            tx.execute(INSERT, [consumer, event.payload["number"], event.offset])
            shop.events.save_offset(consumer, event.offset, tx=tx)
        journal.write("consumed", consumer)
