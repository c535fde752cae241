"""Subscriptions: consumers never skip an event."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import honker
import pytest

from ..support.feeds import SENDER, empty_looks, take_after, take_by_awaiting, take_by_blocking
from ..support.locking import write_lock_elsewhere
from ..support.processes import running
from ..support.waiting import until, wait_until

LATENESS_S = 3.0  # allowed delay of a wake; a missed one is 15 s late


def payloads(events):
    return [event.payload for event in events]


# ---------------------------------------------------------------------------------------------------------- subscribing


def test_a_subscription_hands_out_history_and_then_what_comes(stream, take):
    stream.publish_many([1, 2, 3])
    with stream.subscribe() as events:
        assert payloads(take(events, 3)) == [1, 2, 3]
        assert payloads(take_after(take, events, lambda: stream.publish_many([4, 5]), 2)) == [4, 5]


def test_a_subscription_reads_a_long_history_in_order_without_gaps_or_repeats(stream, take):
    for start in range(0, 2500, 500):
        stream.publish_many(range(start, start + 500))
    with stream.subscribe() as events:
        assert payloads(take(events, 2500)) == list(range(2500))


def test_a_subscription_reads_a_long_history_in_parts(stream):
    stream.publish_many(range(2500))
    with stream.subscribe() as events:
        next(events)
        assert len(events._ahead) < 1000


def test_a_for_loop_in_a_thread_sees_each_event_as_it_comes(stream):
    seen = []

    def consume():
        with stream.subscribe() as events:
            for event in events:
                seen.append(event.payload)
                if event.payload == "last":
                    return

    with ThreadPoolExecutor(1) as executor:
        consuming = executor.submit(consume)
        for number in range(20):
            stream.publish(number)
            wait_until(lambda number=number: number in seen)
        stream.publish("last")
        consuming.result(timeout=10)
    assert seen == [*range(20), "last"]


def test_one_subscription_works_as_for_and_as_async_for(stream):
    stream.publish_many(range(6))
    with stream.subscribe("c", save_every_n=1, save_every_s=0) as events:
        seen = []
        for take in (take_by_blocking, take_by_awaiting, take_by_blocking):
            seen += payloads(take(events, 2))
        assert seen == list(range(6))
        assert stream.get_offset("c") == 5


def test_a_subscription_wakes_when_another_process_publishes(stream, path, take):
    with running(SENDER, path) as sender, stream.subscribe() as events:
        sender.expect("ready")
        assert payloads(take_after(take, events, lambda: sender.say("hello"))) == ["hello"]
        assert time.time() - float(sender.line()) < LATENESS_S


def test_a_subscription_misses_no_event_of_another_process(stream, path):
    with running(SENDER, path) as sender, stream.subscribe() as events:
        sender.expect("ready")
        for number in range(100):
            sender.say(number)
            assert next(events).payload == str(number)


def test_events_of_other_topics_and_rolled_back_ones_are_not_handed_out(db, stream, take):
    def publish():
        db.stream("u").publish("other")
        with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
            stream.publish("rolled back", tx=tx)
            raise ZeroDivisionError
        stream.publish("mine")

    with stream.subscribe() as events:
        assert payloads(take_after(take, events, publish)) == ["mine"]


def test_a_subscription_begins_after_from_offset_whatever_else_is_given(stream, take):
    stream.publish_many([1, 2, 3])
    stream.save_offset("c", 1)
    with stream.subscribe("c", from_offset=2, since=0) as events:
        assert payloads(take(events)) == [3]
    with stream.subscribe("c", 0, since=time.time() + 1000) as events:  # 0 is an offset too
        assert payloads(take(events)) == [1]


def test_a_subscription_begins_at_a_moment_rather_than_at_the_consumers_offset(stream, take):
    stream.publish_many([1, 2, 3])
    stream.save_offset("c", 2)
    with stream.subscribe("c", since=0) as events:
        assert payloads(take(events)) == [1]


def test_a_subscription_begins_at_the_consumers_offset_rather_than_at_the_beginning(stream, take):
    stream.publish_many([1, 2, 3])
    stream.save_offset("c", 2)
    with stream.subscribe("c") as events:
        assert payloads(take(events)) == [3]
    with stream.subscribe("new") as events:
        assert payloads(take(events)) == [1]


def test_a_replay_does_not_lower_the_offset_that_was_saved(stream):
    stream.publish_many([1, 2, 3])
    stream.save_offset("c", 3)
    with stream.subscribe("c", from_offset=0, save_every_n=1) as events:
        take_by_blocking(events, 3)
    assert stream.get_offset("c") == 3


@pytest.mark.sqlite_only("counts the changes of the file")
def test_a_subscription_that_waits_writes_nothing(db, stream):
    stream.publish(1)
    with (
        ThreadPoolExecutor(1) as executor,
        stream.subscribe("c", save_every_s=0.01) as events,
        honker.open(db.path) as other,
    ):
        next(events)
        looks = empty_looks(events)
        waiting = executor.submit(next, events)
        wait_until(lambda: stream.get_offset("c") == 1)
        version = other.engine.current._writer.scalar("PRAGMA data_version")
        for number in range(10):
            count = len(looks)
            other.stream("u").publish(number)
            wait_until(lambda count=count: len(looks) > count)
        assert other.engine.current._writer.scalar("PRAGMA data_version") == version
        stream.publish(2)
        assert waiting.result(timeout=10).payload == 2


# ----------------------------------------------------------------------------------------------------------- cancelling


def test_a_cancelled_wait_leaves_the_subscription_usable(stream):
    async def main():
        with stream.subscribe() as events:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(events), 0.02)
            await stream.apublish(1)
            return await asyncio.wait_for(anext(events), 10)

    assert asyncio.run(main()).payload == 1


@pytest.mark.sqlite_only("on PostgreSQL each of its thousand waits is a round trip of a thread, half a minute in all")
def test_a_wait_that_is_cancelled_over_and_over_loses_no_event(stream):
    """Cancelled at every point of the wait while events arrive, with an offset saved each time."""

    async def produce():
        for number in range(100):
            await stream.apublish(number)
            await asyncio.sleep(0)

    async def main():
        producing, seen, step = asyncio.create_task(produce()), [], 0
        deadline = time.monotonic() + 30
        with stream.subscribe("c", save_every_n=1, save_every_s=0) as events:
            while len(seen) < 100:
                assert time.monotonic() < deadline, f"only {len(seen)} of 100 events were handed out"
                waiting = asyncio.ensure_future(anext(events))
                step += 1
                for _ in range(step % 7):
                    await asyncio.sleep(0)
                waiting.cancel()
                try:
                    seen.append((await waiting).payload)
                except asyncio.CancelledError:
                    continue
                assert stream.get_offset("c") <= len(seen) - 1
        await producing
        return seen

    assert asyncio.run(main()) == list(range(100))


def test_a_wait_cancelled_while_it_saves_loses_neither_event_nor_offset(stream, path):
    stream.publish_many([1, 2])

    async def main(release):
        with stream.subscribe("c", save_every_n=1, save_every_s=0) as events:
            assert (await anext(events)).payload == 1
            waiting = asyncio.ensure_future(anext(events))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not waiting.done()  # it is saving, and did not block the loop until it failed
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            release()
            event = await asyncio.wait_for(anext(events), 10)
            await until(lambda: stream.get_offset("c") == 1)
            return event

    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)).payload == 2


def test_a_subscription_may_be_used_in_several_event_loops_one_after_the_other(stream):
    with stream.subscribe() as events:
        for number in range(3):
            assert payloads(take_after(take_by_awaiting, events, lambda n=number: stream.publish(n))) == [number]


def test_subscriptions_come_and_go_without_leaving_threads_behind(stream):
    stream.publish(1)
    with stream.subscribe() as events:
        next(events)
        before = threading.active_count()
        for _ in range(50):
            with stream.subscribe("c") as others:
                next(others)
        assert threading.active_count() == before
