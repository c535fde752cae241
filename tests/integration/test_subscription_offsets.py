"""Offsets of subscriptions never run ahead of the consumer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import honker
import pytest
from honker import DatabaseBusyError, DatabaseClosedError

from ..support.engines import placed
from ..support.feeds import empty_looks, take_by_blocking
from ..support.locking import ask, write_lock_elsewhere
from ..support.waiting import wait_until

NEVER_S = 1e6  # seconds, longer than any test


def offsets(events):
    return [event.offset for event in events]


def payloads(events):
    return [event.payload for event in events]


# ------------------------------------------------------------------------------------------------------- saving offsets


def test_the_offset_is_saved_after_every_n_events(stream, take):
    stream.publish_many(range(25))
    with stream.subscribe("c", save_every_n=10, save_every_s=NEVER_S) as events:
        take(events, 10)
        assert stream.get_offset("c") == 0  # the consumer is still processing the tenth
        take(events)
        assert stream.get_offset("c") == 10
        take(events, 14)
        assert stream.get_offset("c") == 20


def test_a_consumer_that_dies_sees_again_what_was_not_saved(stream, take):
    stream.publish_many(range(1, 16))
    dead = stream.subscribe("c", save_every_n=5, save_every_s=NEVER_S)
    take(dead, 12)
    assert stream.get_offset("c") == 10
    with stream.subscribe("c", save_every_n=5, save_every_s=NEVER_S) as events:
        assert payloads(take(events, 5)) == [11, 12, 13, 14, 15]


def test_the_event_in_the_consumers_hands_is_never_saved(stream, take):
    stream.publish_many(range(5))
    with stream.subscribe("c", save_every_n=1, save_every_s=1e-9) as events:
        for offset in range(1, 6):
            assert offsets(take(events)) == [offset]
            assert stream.get_offset("c") == offset - 1
    assert stream.get_offset("c") == 4


def test_the_offset_is_saved_after_so_many_seconds(stream, take, monkeypatch):
    now = SimpleNamespace(monotonic=lambda: now.s, s=1000.0)
    monkeypatch.setattr("honker.stream.subscription.monotonic", lambda: now.s)
    stream.publish_many(range(9))
    with stream.subscribe("c", save_every_n=0, save_every_s=60) as events:
        take(events, 3)
        now.s += 59.9
        take(events)
        assert stream.get_offset("c") == 0
        now.s += 0.2
        take(events)
        assert stream.get_offset("c") == 4
        now.s += 59.9
        take(events)
        assert stream.get_offset("c") == 4
        now.s += 0.2
        take(events)
        assert stream.get_offset("c") == 6


def test_the_offset_is_saved_while_nothing_comes(stream, take):
    stream.publish_many([1, 2, 3])
    with stream.subscribe("c", save_every_n=0, save_every_s=0.05) as events:
        with ThreadPoolExecutor(1) as executor:
            waiting = executor.submit(take, events, 4)
            wait_until(lambda: stream.get_offset("c") == 3)
            assert not waiting.done()
            stream.publish(4)
            assert payloads(waiting.result()) == [1, 2, 3, 4]
        assert stream.get_offset("c") == 3


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "in hand"])
def test_with_both_cadences_off_nothing_is_saved(stream, take, closes):
    stream.publish_many(range(20))
    events = stream.subscribe("c", save_every_n=0, save_every_s=0)
    take(events, 15)
    if closes:
        events.close()
    assert stream.get_offset("c") == 0


def test_a_subscription_without_a_consumer_saves_nothing(stream, take, path):
    stream.publish_many(range(5))
    with stream.subscribe(save_every_n=1, save_every_s=1e-9) as events:
        take(events, 5)
    assert ask(path, "SELECT * FROM _honker_stream_consumers") == []


def test_close_saves_the_offset_of_the_last_event_the_consumer_was_through_with(stream, take):
    stream.publish_many(range(5))
    events = stream.subscribe("c", save_every_s=NEVER_S)
    take(events, 4)
    assert stream.get_offset("c") == 0
    events.close()
    assert stream.get_offset("c") == 3
    events.close()
    assert stream.get_offset("c") == 3


def test_a_with_block_saves_the_offset_whether_it_fails_or_not(stream, take):
    stream.publish_many(range(10))
    with stream.subscribe("c", save_every_s=NEVER_S) as events:
        take(events, 3)
    assert stream.get_offset("c") == 2
    with pytest.raises(ZeroDivisionError), stream.subscribe("c", save_every_s=NEVER_S) as events:  # noqa: PT012
        assert offsets(take(events, 3)) == [3, 4, 5]
        raise ZeroDivisionError
    assert stream.get_offset("c") == 4


def test_an_event_after_which_the_consumer_asked_for_the_next_is_saved_by_close(stream):
    """It waits for the next one and is cancelled there: it has finished all earlier ones."""

    async def consume():
        with stream.subscribe("c", save_every_s=NEVER_S) as events:
            for number in (1, 2, 3):
                assert (await anext(events)).payload == number
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(events), 0.02)

    stream.publish_many([1, 2, 3])
    asyncio.run(consume())
    assert stream.get_offset("c") == 3


def test_close_ends_the_wait_of_another_thread_and_saves_what_it_was_through_with(stream):
    stream.publish_many([1, 2])
    events = stream.subscribe("c", save_every_s=NEVER_S)
    looks = empty_looks(events)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(lambda: [next(events) for _ in range(3)])
        wait_until(lambda: looks)
        events.close()
        with pytest.raises(DatabaseClosedError):
            waiting.result(timeout=10)
    assert stream.get_offset("c") == 2


@pytest.mark.sqlite_only("the busy timeout")
def test_a_close_that_could_not_save_may_be_repeated(stream, path, impatient):
    stream.publish_many([1, 2])
    events = stream.subscribe("c", save_every_s=NEVER_S)
    take_by_blocking(events, 2)
    with write_lock_elsewhere(path) as release:
        with pytest.raises(DatabaseBusyError):
            events.close()
        release()
    events.close()
    assert stream.get_offset("c") == 1


def test_an_async_with_block_saves_the_offset_without_blocking_the_loop(stream, path):
    stream.publish_many([1, 2, 3])

    async def main(release):
        async with stream.subscribe("c", save_every_s=NEVER_S) as events:
            for _ in range(3):
                await anext(events)
            closing = asyncio.ensure_future(events.aclose())
            for _ in range(100):
                await asyncio.sleep(0)
            assert not closing.done()
            release()
            await asyncio.wait_for(closing, 10)
            assert stream.get_offset("c") == 2
        async with stream.subscribe("c", save_every_s=NEVER_S) as events:
            assert (await anext(events)).payload == 3
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(events), 0.02)

    with write_lock_elsewhere(path) as release:
        asyncio.run(main(release))
    assert stream.get_offset("c") == 3


def test_a_subscription_may_be_closed_while_another_task_holds_a_transaction(db, stream):
    """Closing saves an offset, which writes; the other task can end its transaction only while the loop runs."""
    stream.publish_many([1, 2])

    async def hold(has_begun, may_end):
        async with db.transaction():
            has_begun.set()
            await may_end.wait()

    async def main():
        has_begun, may_end = asyncio.Event(), asyncio.Event()
        events = stream.subscribe("c", save_every_s=NEVER_S)
        for _ in range(2):
            await anext(events)
        holding = asyncio.create_task(hold(has_begun, may_end))
        await has_begun.wait()
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        try:
            await events.aclose()
        finally:
            may_end.set()
            await holding

    asyncio.run(main())
    assert stream.get_offset("c") == 1


# -------------------------------------------------------------------------------------------------------------- offsets


def test_an_offset_only_rises(stream):
    assert stream.get_offset("c") == 0
    assert [stream.save_offset("c", offset) for offset in (5, 5, 4, 6, -1)] == [True, False, False, True, False]
    assert stream.get_offset("c") == 6


def test_offsets_belong_to_one_consumer_of_one_topic(db, stream):
    stream.save_offset("c", 5)
    assert (stream.get_offset("d"), db.stream("u").get_offset("c")) == (0, 0)


def test_asave_offset_does_as_save_offset(stream):
    async def main():
        return [await stream.asave_offset("c", offset) for offset in (5, 4)]

    assert asyncio.run(main()) == [True, False]
    assert stream.get_offset("c") == 5


def test_an_offset_saved_in_a_transaction_is_saved_if_it_commits(db, stream):
    with db.transaction() as tx:
        assert stream.save_offset("c", 5, tx=tx)
        assert stream.get_offset("c", tx=tx) == 5
        assert stream.get_offset("c") == 0
    assert stream.get_offset("c") == 5
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        stream.save_offset("c", 9, tx=tx)
        raise ZeroDivisionError
    assert stream.get_offset("c") == 5


def test_an_effect_and_its_offset_commit_together_so_each_effect_is_there_once(db, stream):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE effects (n INTEGER)")
    stream.publish_many(range(20))

    def consume(fails_at):
        with stream.subscribe("c", save_every_n=0, save_every_s=0) as events:
            for event in events:
                with db.transaction() as tx:
                    tx.execute(placed(tx, "INSERT INTO effects VALUES (?)"), [event.payload])
                    stream.save_offset("c", event.offset, tx=tx)
                    if event.payload == fails_at:
                        raise ZeroDivisionError
                if event.payload == 19:
                    return

    for fails_at in (3, 3, 11):
        with pytest.raises(ZeroDivisionError):
            consume(fails_at)
    consume(None)
    assert [row["n"] for row in db.query("SELECT n FROM effects")] == list(range(20))


def test_two_consumers_are_independent(stream, take):
    stream.publish_many(range(10))
    first = stream.subscribe("a", save_every_n=1, save_every_s=0)
    second = stream.subscribe("b", save_every_n=1, save_every_s=0)
    assert payloads(take(first, 7)) == list(range(7))
    assert payloads(take(second, 3)) == list(range(3))
    assert (stream.get_offset("a"), stream.get_offset("b")) == (6, 2)
    first.close()
    assert payloads(take(second, 7)) == list(range(3, 10))
    second.close()


@pytest.mark.parametrize("offset", [2**63, -(2**63) - 1])
def test_an_offset_beyond_64_bits_is_refused_by_an_error_of_honker(stream, offset):
    for attempt in (lambda: stream.save_offset("c", offset), lambda: stream.read_since(offset)):
        with pytest.raises(honker.HonkerError):
            attempt()


# ----------------------------------------------------------------------------------------------- a save that is refused


class _BodyError(Exception):
    pass


def test_a_block_keeps_its_own_error_when_the_offset_cannot_be_saved(db, monkeypatch):
    stream = db.stream("t")
    stream.publish(1)
    stream.publish(2)

    def refuse(*_, **__):
        raise honker.DatabaseBusyError("database is locked")

    with pytest.raises(_BodyError) as caught, stream.subscribe("consumer") as events:  # noqa: PT012
        next(events)
        next(events)
        monkeypatch.setattr(stream, "save_offset", refuse)
        raise _BodyError
    assert "database is locked" in caught.value.__notes__[0]
    with pytest.raises(honker.DatabaseClosedError):
        events._updates.wait(0)


def test_a_block_without_an_error_raises_that_of_the_save_and_stops_watching(db, monkeypatch):
    stream = db.stream("t")
    stream.publish(1)
    stream.publish(2)

    def refuse(*_, **__):
        raise honker.DatabaseBusyError("database is locked")

    with pytest.raises(honker.DatabaseBusyError), stream.subscribe("consumer") as events:  # noqa: PT012
        next(events)
        next(events)
        monkeypatch.setattr(stream, "save_offset", refuse)
    with pytest.raises(honker.DatabaseClosedError):
        events._updates.wait(0)
