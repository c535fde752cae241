"""Many iterators of one event loop, which share one descriptor."""

import asyncio
import gc
import threading

import pytest
from honker import DatabaseClosedError

from ..support.processes import run
from ..support.waiting import until, wait_until

MANY = """
import asyncio, resource, sys, honker

COUNT = 300
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))

async def main():
    db = honker.open(sys.argv[1])
    queue, stream = db.queue("q"), db.stream("s")
    iterators = [queue.claim(f"w{number}", idle_poll_s=None) for number in range(COUNT)]
    iterators += [db.listen("c", fallback_poll_s=None) for _ in range(COUNT)]
    iterators += [stream.subscribe(f"c{number}") for number in range(COUNT)]
    waiting = [asyncio.ensure_future(anext(each)) for each in iterators]
    await asyncio.sleep(0)
    await asyncio.to_thread(queue.enqueue_many, list(range(COUNT)))
    def notify():
        with db.transaction() as tx:
            tx.notify("c", 1)
    await asyncio.to_thread(notify)
    await asyncio.to_thread(stream.publish, 1)
    async with asyncio.timeout(40):
        print(len(await asyncio.gather(*waiting)))

asyncio.run(main())
"""


def test_hundreds_of_iterators_of_one_loop_take_few_descriptors(path):
    assert run(MANY, path) == ["900"]


def test_an_iterator_moves_between_threads_and_loops(db):
    queue = db.queue("q")
    claims = queue.claim("w", idle_poll_s=None)

    async def claimed():
        waiting = asyncio.ensure_future(anext(claims))
        await until(lambda: claims._updates._shared is not None)
        await queue.aenqueue("later")
        async with asyncio.timeout(10):
            return (await waiting).payload

    for _ in range(2):
        assert asyncio.run(claimed()) == "later"
        threading.Timer(0.05, queue.enqueue, ["soon"]).start()
        assert next(claims).payload == "soon"


@pytest.mark.parametrize("is_closed_elsewhere", [False, True])
def test_closing_an_iterator_ends_a_wait_of_its_loop(db, is_closed_elsewhere):
    async def main():
        listener = db.listen("c", fallback_poll_s=None)
        waiting = asyncio.ensure_future(anext(listener))
        await until(lambda: listener._updates._shared._waiting is not None)
        await (asyncio.to_thread(listener.close) if is_closed_elsewhere else listener.aclose())
        async with asyncio.timeout(10):
            with pytest.raises(DatabaseClosedError):
                await waiting

    asyncio.run(main())


@pytest.mark.sqlite_only("looks at the handle of the native watcher")
def test_an_iterator_that_outlives_its_loop_ends_without_a_warning(db):
    async def main():
        return db.listen("c")

    listener = asyncio.run(main())
    listener.close()
    del listener
    gc.collect()
    wait_until(lambda: not [each for each in db.engine.current._updates if each._handle is not None])
