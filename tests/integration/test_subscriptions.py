"""Subscriptions: consumers never skip an event, and offsets never run ahead of them."""

import asyncio
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import honker
import pytest
from honker import DatabaseBusyError, DatabaseClosedError

from ..support.feeds import SENDER, empty_looks, take_after, take_by_awaiting, take_by_blocking
from ..support.locking import ask, write_lock_elsewhere
from ..support.processes import running
from ..support.waiting import until, wait_until

NEVER_S = 1e6  # seconds, longer than any test
LATENESS_S = 3.0  # allowed delay of a wake; a missed one is 15 s late


def offsets(events):
    return [event.offset for event in events]


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
        version = other.engine._writer.scalar("PRAGMA data_version")
        for number in range(10):
            count = len(looks)
            other.stream("u").publish(number)
            wait_until(lambda count=count: len(looks) > count)
        assert other.engine._writer.scalar("PRAGMA data_version") == version
        stream.publish(2)
        assert waiting.result(timeout=10).payload == 2


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
        tx.execute("CREATE TABLE effects (n)")
    stream.publish_many(range(20))

    def consume(fails_at):
        with stream.subscribe("c", save_every_n=0, save_every_s=0) as events:
            for event in events:
                with db.transaction() as tx:
                    tx.execute("INSERT INTO effects VALUES (?)", [event.payload])
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


# ----------------------------------------------------------------------------------- a backup restored into the file


def restore(path, backup):
    source, target = sqlite3.connect(backup), sqlite3.connect(path)
    source.backup(target)
    source.close()
    target.close()


def take_until(payload, feed, take):
    """Take items until one has the payload: those of the second of the restore may come again."""
    for _ in range(10):
        if take(feed, 1)[0].payload == payload:
            return
    pytest.fail(f"{payload!r} did not come")


@pytest.fixture
def backup(db, path, tmp_path):
    """A copy of the file with the first five events and notifications."""
    for number in range(5):
        db.stream("t").publish(number)
        with db.transaction() as tx:
            tx.notify("c", number)
    copy = sqlite3.connect(tmp_path / "backup.db")
    source = sqlite3.connect(path)
    source.backup(copy)
    source.close()
    copy.close()
    return tmp_path / "backup.db"


def test_a_subscription_goes_on_after_a_backup_was_restored_into_the_file(db, path, backup, take):
    stream = db.stream("t")
    for number in range(5, 20):
        stream.publish(number)
    with stream.subscribe("consumer") as events:
        assert [each.payload for each in take(events, 20)] == list(range(20))
        restore(path, backup)
        stream.publish("new")
        take_until("new", events, take)
        stream.publish("newer")
        assert take(events, 1)[0].payload == "newer"
    assert stream.get_offset("consumer") == 6  # that of the last event it is done with


def test_a_subscription_that_has_read_nothing_goes_on_too(db, path, backup, take):
    stream = db.stream("t")
    for number in range(5, 20):
        stream.publish(number)
    with stream.subscribe(from_offset=20) as events:
        with pytest.raises(TimeoutError):
            take_by_awaiting(events, 1, timeout_s=0.05)
        restore(path, backup)
        stream.publish("new")
        take_until("new", events, take)


def test_a_subscription_from_an_offset_that_is_not_reached_yet_waits_for_it(db, take):
    stream = db.stream("t")
    stream.publish_many(range(3))
    with stream.subscribe(from_offset=5) as events:
        with pytest.raises(TimeoutError):
            take_by_awaiting(events, 1, timeout_s=0.05)
        stream.publish_many(range(3, 6))
        assert take(events, 1)[0].payload == 5


def test_a_listener_goes_on_after_a_backup_was_restored_into_the_file(db, path, backup, take):
    for number in range(5, 20):
        with db.transaction() as tx:
            tx.notify("c", number)
    with db.listen("c") as messages:
        with pytest.raises(TimeoutError):
            take_by_awaiting(messages, 1, timeout_s=0.05)
        restore(path, backup)
        with db.transaction() as tx:
            tx.notify("c", "new")
        take_until("new", messages, take)


def test_a_subscription_whose_events_were_pruned_gets_each_later_one_once(db, take):
    stream = db.stream("t")
    stream.publish("old")
    with stream.subscribe() as events:
        assert take(events, 1)[0].payload == "old"
        stream.prune(max_keep=0)
        stream.publish("new")
        stream.publish("newer")
        assert [each.payload for each in take(events, 2)] == ["new", "newer"]


# --------------------------------------------------------------------------------------------- a save that is refused


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
