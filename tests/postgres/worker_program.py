"""A worker process, run as ``python -m tests.postgres.worker_program URL``. It ends by SIGTERM.

Its tasks leave rows in the table ``effects``: ``exact`` in the transaction of its handler, ``often`` beside it.
"""

import asyncio
import logging
import signal
import sys

import honker

LEASE_S = 3


def declare(db):
    """The tasks, on a queue whose lost claims soon lapse."""
    db.queue("q", visibility_timeout_s=LEASE_S, max_attempts=100)

    @db.task(queue="q", name="exact", retries=99, retry_delay_s=0.1)
    def exact(number: int, tx: honker.Transaction) -> None:
        tx.execute("INSERT INTO effects (kind, number) VALUES ('exact', %s)", [number])

    @db.task(queue="q", name="often", retries=99, retry_delay_s=0.1)
    def often(number: int) -> None:
        with db.transaction() as tx:
            tx.execute("INSERT INTO effects (kind, number) VALUES ('often', %s)", [number])

    @db.task(queue="q", name="aexact", retries=99, retry_delay_s=0.1)
    async def aexact(number: int, tx: honker.Transaction) -> None:
        async with tx:
            tx.execute("INSERT INTO effects (kind, number) VALUES ('aexact', %s)", [number])

    return {"exact": exact, "often": often, "aexact": aexact}


async def main(url):
    logging.basicConfig(format="%(levelname)s %(message)s")
    db = honker.open(url)
    declare(db)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await db.run_workers("q", concurrency=4, stop_event=stop)
    db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
