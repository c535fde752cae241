"""Taking items from endless iterators, by blocking in a thread and by awaiting in an event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from .asking import watch_answers
from .waiting import wait_until

#: A process that publishes each line of its input to the topic "t" and notifies the channel "c" of it.
SENDER = """
import sys, time
import honker
with honker.open(sys.argv[1]) as db:
    print("ready", flush=True)
    for line in sys.stdin:
        db.stream("t").publish(line.strip())
        db.notify("c", line.strip())
        print(time.time(), flush=True)
"""


def take_by_blocking(feed, count=1, timeout_s=10):
    """The next `count` items, taken with `next` in a thread."""
    with ThreadPoolExecutor(1) as executor:
        taking = executor.submit(lambda: [next(feed) for _ in range(count)])
        try:
            return taking.result(timeout_s)
        except TimeoutError:
            feed.close()  # ends the wait of a thread that got too few items
            raise


def take_by_awaiting(feed, count=1, timeout_s=10):
    """The next `count` items, taken with `anext` in an event loop."""

    async def main():
        return [await anext(feed) for _ in range(count)]

    return asyncio.run(asyncio.wait_for(main(), timeout_s))


WAYS = {"for": take_by_blocking, "async for": take_by_awaiting}


def empty_looks(feed):
    """The looks of a feed that found nothing, from now on: after one, it waits or is about to."""
    found_nothing = []

    def note(answer):
        if answer == "[]":
            found_nothing.append(answer)

    for function in ("honker_stream_read_since", "honker_notification_read_since"):
        watch_answers(feed, function, note)
    return found_nothing


def take_after(take, feed, bring_about, count=1):
    """Take items with `take`; `bring_about` adds them during the wait."""
    looks = empty_looks(feed)
    with ThreadPoolExecutor(1) as executor:
        taking = executor.submit(take, feed, count)
        wait_until(lambda: looks or taking.done())
        assert not taking.done(), "it did not wait"
        bring_about()
        return taking.result()
