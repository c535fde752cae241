"""Streams: a log for each topic, publishing, and reading from any point."""

import asyncio
import json
import time
from datetime import UTC, datetime

import honker
import pytest
from honker import InvalidArgumentError, InvalidPayloadError

from ..support.feeds import take_after
from ..support.locking import ask, write_lock_elsewhere
from ..support.triggers import refuse
from ..support.waiting import wait_until

UNSERIALISABLE = [object(), {1, 2}, b"bytes", float("nan"), float("inf"), {"at": datetime.now()}]


def offsets(events):
    return [event.offset for event in events]


def payloads(events):
    return [event.payload for event in events]


def rows(path):
    return ask(path, "SELECT topic, key, payload FROM _honker_stream ORDER BY offset")


def age(path, offset, seconds):
    """Make an event older."""
    ask(path, "UPDATE _honker_stream SET created_at = unixepoch() - ? WHERE offset = ?", seconds, offset)


# ----------------------------------------------------------------------------------------------------------- publishing


def test_publish_returns_offsets_that_grow_over_all_topics(db, stream):
    assert [stream.publish(1), db.stream("u").publish(2), stream.publish(3)] == [1, 2, 3]


def test_a_stream_is_one_object_for_each_topic_and_runs_no_sql(db):
    with db.transaction():
        stream = db.stream("t")
    assert db.stream("t") is stream
    assert db.stream("u") is not stream


def test_an_event_is_stored_as_default_json_text_and_notifies_nobody(stream, path):
    stream.publish({"n": 1, "s": "ü"}, key="alice")
    assert rows(path) == [("t", "alice", json.dumps({"n": 1, "s": "ü"}))]
    assert ask(path, "SELECT * FROM _honker_notifications") == []


@pytest.mark.parametrize("payload", [None, True, 0, 2**70, 1.5, "", "ü\0\n", [], {"a": [1, {"b": None}]}], ids=repr)
def test_a_payload_comes_back_as_it_was_published(stream, payload):
    stream.publish(payload)
    stream.publish_many([payload])
    assert payloads(stream.read_since(0)) == [payload, payload]


def test_an_event_carries_offset_topic_key_and_time(stream):
    before = int(time.time())
    offset = stream.publish("p", key="k")
    (event,) = stream.read_since(0)
    assert (event.offset, event.topic, event.key, event.payload) == (offset, "t", "k", "p")
    assert before <= event.created_at <= time.time()
    assert str(offset) in repr(event)
    assert "'t'" in repr(event)


def test_an_event_without_a_key_has_none(stream):
    stream.publish(1)
    assert stream.read_since(0)[0].key is None


def test_a_payload_that_is_not_json_is_reported_when_it_is_asked_for_and_not_before(stream, path):
    ask(path, "INSERT INTO _honker_stream (topic, payload) VALUES ('t', 'no json')")
    stream.publish("good")
    bad, good = stream.read_since(0)
    with pytest.raises(json.JSONDecodeError):
        _ = bad.payload
    assert good.payload == "good"


def test_an_event_published_in_a_transaction_is_there_if_it_commits(db, stream, path):
    with db.transaction() as tx:
        assert stream.publish(1, key="k", tx=tx) == 1
        assert stream.publish_many([2, 3], tx=tx) == [2, 3]
        assert rows(path) == []
    assert rows(path) == [("t", "k", "1"), ("t", None, "2"), ("t", None, "3")]


def test_an_event_published_in_a_transaction_is_not_there_if_it_rolls_back(db, stream, path):
    async def apublish():
        async with db.transaction() as tx:
            await stream.apublish(4, tx=tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        stream.publish(1, tx=tx)
        stream.publish_many([2, 3], tx=tx)
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        asyncio.run(apublish())
    assert rows(path) == []


def test_apublish_does_as_publish(db, stream, path):
    async def main():
        offset = await stream.apublish(1, key="k")
        async with db.transaction() as tx:
            return [offset, await stream.apublish(2, tx=tx)]

    assert asyncio.run(main()) == [1, 2]
    assert rows(path) == [("t", "k", "1"), ("t", None, "2")]


def test_apublish_does_not_block_the_loop_while_another_process_writes(stream, path):
    async def main(release):
        publishing = asyncio.ensure_future(stream.apublish(1))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not publishing.done()
        release()
        return await asyncio.wait_for(publishing, 10)

    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)) == 1


@pytest.mark.parametrize("payload", UNSERIALISABLE, ids=lambda value: type(value).__name__)
def test_a_payload_without_a_json_form_writes_nothing(db, stream, path, payload):
    publish = [
        lambda tx: stream.publish(payload, tx=tx),
        lambda tx: asyncio.run(stream.apublish(payload, tx=tx)),
        lambda tx: stream.publish_many([1, payload, 2], tx=tx),
    ]
    for attempt in publish:
        with pytest.raises(InvalidPayloadError):
            attempt(None)
    with db.transaction() as tx:
        for attempt in publish:
            with pytest.raises(TypeError):
                attempt(tx)
    assert rows(path) == []


def test_publish_many_takes_any_iterables_and_keeps_their_order(stream, path):
    assert stream.publish_many((n for n in range(3)), keys=iter(["a", None, "c"])) == [1, 2, 3]
    assert rows(path) == [("t", "a", "0"), ("t", None, "1"), ("t", "c", "2")]


def test_publish_many_of_nothing_does_nothing(stream, path):
    assert stream.publish_many([]) == []
    assert stream.publish_many([], keys=[]) == []
    assert rows(path) == []


@pytest.mark.parametrize("keys", [[], ["a"], ["a", "b", "c"]], ids=len)
def test_publish_many_wants_as_many_keys_as_events(stream, path, keys):
    with pytest.raises(InvalidArgumentError, match=f"{len(keys)} keys for 2 events"):
        stream.publish_many([1, 2], keys=keys)
    assert rows(path) == []


@pytest.mark.parametrize("key", [5, 1.5, b"k", ["k"]], ids=lambda value: type(value).__name__)
def test_a_key_that_is_no_text_is_refused(stream, path, key):
    with pytest.raises(honker.HonkerError):
        stream.publish(1, key=key)
    with pytest.raises((honker.HonkerError, TypeError)):
        stream.publish_many([1, 2], keys=["a", key])
    assert rows(path) == []


def test_publish_many_is_all_or_nothing(db, stream, path):
    """The application's trigger rejects the third of four."""
    refuse(path, "INSERT", "_honker_stream", "three is refused", "NEW.payload = '3'")
    with pytest.raises(honker.ConstraintError, match="three"):
        stream.publish_many([1, 2, 3, 4])
    assert rows(path) == []


@pytest.mark.sqlite_only("PostgreSQL fails the whole transaction")
def test_publish_many_is_all_or_nothing_in_a_transaction(db, stream, path):
    refuse(path, "INSERT", "_honker_stream", "three is refused", "NEW.payload = '3'")
    with db.transaction() as tx:
        stream.publish("before", tx=tx)
        with pytest.raises(honker.ConstraintError, match="three"):
            stream.publish_many([1, 2, 3, 4], tx=tx)
        stream.publish("after", tx=tx)
    assert rows(path) == [("t", None, '"before"'), ("t", None, '"after"')]


def test_a_topic_must_have_a_name(db, path):
    with pytest.raises(InvalidArgumentError, match="topic"):
        db.stream("").publish(1)
    assert rows(path) == []


# -------------------------------------------------------------------------------------------------------------- reading


def test_read_since_returns_the_events_of_the_topic_after_an_offset(db, stream):
    stream.publish_many([1, 2])
    db.stream("u").publish("other")
    stream.publish(3)
    assert payloads(stream.read_since(0)) == [1, 2, 3]
    assert payloads(stream.read_since(1)) == [2, 3]
    assert offsets(stream.read_since(2)) == [4]
    assert stream.read_since(4) == []
    assert stream.read_since(10**9) == []


@pytest.mark.parametrize(
    ("limit", "expected"), [(0, []), (1, [1]), (3, [1, 2, 3]), (100, [1, 2, 3, 4]), (-1, [1, 2, 3, 4])]
)
def test_read_since_returns_at_most_limit_events(stream, limit, expected):
    stream.publish_many([1, 2, 3, 4])
    assert payloads(stream.read_since(0, limit)) == expected


def test_read_since_returns_a_thousand_unless_told_otherwise(stream):
    stream.publish_many(range(1001))
    assert payloads(stream.read_since(0)) == list(range(1000))


def test_a_read_in_a_transaction_sees_its_own_events_and_others_do_not(db, stream):
    with db.transaction() as tx:
        stream.publish(1, tx=tx)
        assert payloads(stream.read_since(0, tx=tx)) == [1]
        assert stream.read_since(0) == []


# ------------------------------------------------------------------------------------------------------- points in time


def test_offset_at_of_an_empty_log_is_zero(stream):
    assert [stream.offset_at(at) for at in (0, time.time(), time.time() + 1000)] == [0, 0, 0]


def test_offset_at_is_after_what_is_older_and_before_what_is_not(stream, path):
    for seconds in (300, 200, 100):
        age(path, stream.publish(seconds), seconds)
    ((first, second, third),) = [[row[0] for row in ask(path, "SELECT created_at FROM _honker_stream ORDER BY offset")]]
    assert stream.offset_at(first - 1) == 0
    assert stream.offset_at(first) == 0  # an event at that moment is not before it
    assert stream.offset_at(first + 1) == 1
    assert stream.offset_at(second) == 1
    assert stream.offset_at(third) == 2
    assert stream.offset_at(third + 1) == 3
    assert stream.offset_at(time.time() + 1000) == 3


def test_offset_at_goes_by_the_log_of_all_topics(db, stream, path):
    for seconds, topic in ((300, "u"), (200, "t"), (100, "u")):
        age(path, db.stream(topic).publish(1), seconds)
    assert db.stream("nothing ever").offset_at(time.time() - 250) == 1
    assert offsets(stream.read_since(stream.offset_at(time.time() - 250))) == [2]
    assert stream.read_since(stream.offset_at(time.time() - 150)) == []


def test_offset_at_copes_with_events_that_were_deleted(stream, path):
    for seconds in (500, 400, 300, 200, 100):
        age(path, stream.publish(seconds), seconds)
    ask(path, "DELETE FROM _honker_stream WHERE offset IN (1, 3, 5)")
    assert payloads(stream.read_since(stream.offset_at(time.time() - 1000))) == [400, 200]
    assert payloads(stream.read_since(stream.offset_at(time.time() - 350))) == [200]
    assert stream.read_since(stream.offset_at(time.time() - 150)) == []


def test_offset_at_takes_datetimes(stream, path):
    for seconds in (7200, 60):
        age(path, stream.publish(seconds), seconds)
    at = time.time() - 3600
    assert stream.offset_at(datetime.fromtimestamp(at, UTC)) == 1
    assert stream.offset_at(datetime.fromtimestamp(at)) == 1


@pytest.mark.sqlite_only("events are dated to the millisecond on PostgreSQL, so offset_at is exact")
def test_offset_at_misses_no_event_of_the_same_second(stream):
    """Events store the second they were published in; one published later in that second must still follow."""
    wait_until(lambda: 0.2 < time.time() % 1 < 0.7)
    stream.publish("earlier")
    at = time.time()
    offset = stream.publish("at or after the moment")
    assert int(at) == int(time.time()), "the second ended meanwhile"
    assert offset in offsets(stream.read_since(stream.offset_at(at)))


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Six events of 6 MB: the engine returns three at a time."""
    with honker.open(tmp_path_factory.mktemp("large") / "app.db") as db:
        stream = db.stream("large")
        for number in range(6):
            stream.publish(str(number) * 6_000_000)
        yield stream


def firsts(events):
    return "".join(event.payload[0] for event in events)


@pytest.mark.parametrize(
    ("offset", "limit", "found"), [(0, 1000, "012345"), (0, -1, "012345"), (1, 4, "1234"), (5, 9, "5")]
)
def test_large_events_that_come_in_several_pages_are_read_to_the_limit(large, offset, limit, found):
    assert firsts(large.read_since(offset, limit)) == found
    assert firsts(asyncio.run(large.aread_since(offset, limit))) == found
    assert "".join(row["payload"][1] for row in large._read_since(offset, limit)) == found


def test_a_subscription_reads_large_events_to_the_last(large, take):
    with large.subscribe(from_offset=0) as events:
        assert firsts(take(events, 6)) == "012345"


@pytest.mark.parametrize("since", ["yesterday", None, float("nan"), 1e15], ids=repr)
def test_a_moment_that_is_none_is_refused(stream, since):
    with pytest.raises(InvalidArgumentError):
        stream.offset_at(since)


def test_a_subscription_since_a_moment_replays_from_it(stream, path, take):
    for seconds in (300, 200, 100):
        age(path, stream.publish(seconds), seconds)
    with stream.subscribe(since=time.time() - 250) as events:
        assert payloads(take(events, 2)) == [200, 100]


def test_a_subscription_since_before_everything_replays_everything(stream, take):
    stream.publish_many([1, 2])
    with stream.subscribe(since=0) as events:
        assert payloads(take(events, 2)) == [1, 2]


def test_a_subscription_since_the_future_sees_only_what_is_new(stream, take):
    stream.publish(1)
    with stream.subscribe(since=datetime.now(UTC).replace(year=2100)) as events:
        assert payloads(take_after(take, events, lambda: stream.publish(2))) == [2]
