"""Workers that share the slots of a queue."""

import asyncio

from honker.worker.runner import _FULL_PAUSE_S, Runner

from ..support.workers import working


def test_a_worker_without_a_slot_looks_rarely_and_takes_a_slot_that_is_left_free(db, queue, monkeypatch):
    """Each commit wakes a worker that waits. While all slots of the queue are taken, nearly all looks are in vain."""
    queue.configure(concurrency=1)
    looks = []
    work = Runner._work

    async def counted(self, n, finished):
        looks.append(finished)
        return await work(self, n, finished)

    monkeypatch.setattr(Runner, "_work", counted)
    ends = asyncio.Event()

    @queue.task(name="held")
    async def held():
        ends_now.set()
        await ends.wait()

    @queue.task(name="quick")
    async def quick():
        pass

    ends_now = asyncio.Event()

    async def main():
        loop = asyncio.get_running_loop()
        async with working(db):
            first = held()
            await asyncio.wait_for(ends_now.wait(), 10)
            async with working(db):  # it has slots of its own, and the queue has none
                looks.clear()
                began = loop.time()
                commits = 0
                while loop.time() - began < 20 * _FULL_PAUSE_S:
                    db.notify("news", commits)
                    commits += 1
                    await asyncio.sleep(0)
                seconds = loop.time() - began
                seen = len(looks)
                second = quick()
                ends.set()
                await first.aget(10)
                await second.aget(10)
        return commits, seen, seconds

    commits, seen, seconds = asyncio.run(main())
    assert commits > 100
    # Both workers look: the first one has slots of its own left as well.
    assert seen <= 2 * (seconds / _FULL_PAUSE_S + 2)
