"""Streams: a log per topic, read from an offset on, and the saved offset of each consumer."""

import json
import time

import pytest

from .clock import advance
from .database import call, call_json, refused, rows, value


def publish(conn, topic="t", payload="{}", key=None):
    return call(conn, "honker_stream_publish", topic, key, payload)


def read(conn, topic="t", offset=0, limit=100):
    return call_json(conn, "honker_stream_read_since", topic, offset, limit)


def offsets(conn, *arguments, **options):
    return [event["offset"] for event in read(conn, *arguments, **options)]


def save_offset(conn, offset, consumer="c", topic="t"):
    return call(conn, "honker_stream_save_offset", consumer, topic, offset)


def get_offset(conn, consumer="c", topic="t"):
    return call(conn, "honker_stream_get_offset", consumer, topic)


def test_an_event_comes_back_as_it_was_published(conn):
    before = int(time.time())
    publish(conn, "orders", '{"ü": "🚀"}', key="alice")
    event = read(conn, "orders")[0]
    assert before <= event.pop("created_at") <= time.time()
    assert event == {"offset": 1, "topic": "orders", "key": "alice", "payload": '{"ü": "🚀"}'}


@pytest.mark.parametrize("key", [None, "", "k"])
def test_a_key_is_handed_back_null_and_empty_apart(conn, key):
    publish(conn, key=key)
    assert read(conn)[0]["key"] == key


def test_offsets_grow_over_all_topics_together(conn):
    assert [publish(conn, topic) for topic in ("a", "b", "a")] == [1, 2, 3]
    assert offsets(conn, "a") == [1, 3]


def test_offsets_are_never_used_again(conn):
    publish(conn)
    publish(conn)
    conn.execute("DELETE FROM _honker_stream")
    assert publish(conn) == 3


def test_events_are_read_in_order_after_the_offset(conn):
    for _ in range(5):
        publish(conn)
    assert offsets(conn, offset=2) == [3, 4, 5]
    assert offsets(conn, offset=5) == []
    assert offsets(conn, offset=-(2**63)) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (-1, [1, 2, 3, 4, 5])])
def test_a_limit_bounds_what_is_read_and_a_negative_one_does_not(conn, limit, expected):
    for _ in range(5):
        publish(conn)
    assert offsets(conn, limit=limit) == expected


def test_topics_are_apart(conn):
    publish(conn, "t")
    assert read(conn, "T") == []
    assert read(conn, "t ") == []


def test_publish_leaves_notifications_untouched(conn):
    publish(conn)
    assert rows(conn, "SELECT * FROM _honker_notifications") == []


def test_publish_works_in_triggers(conn):
    conn.executescript("""
        CREATE TABLE orders (id INTEGER PRIMARY KEY, customer);
        CREATE TRIGGER ordered AFTER INSERT ON orders BEGIN
          SELECT honker_stream_publish('orders', NEW.customer, json_object('id', NEW.id));
        END;
    """)
    conn.execute("INSERT INTO orders (customer) VALUES ('alice'), ('bob')")
    assert [(event["key"], event["payload"]) for event in read(conn, "orders")] == [
        ("alice", '{"id":1}'), ("bob", '{"id":2}'),
    ]  # fmt: skip


def test_a_rolled_back_publish_leaves_no_event(conn):
    conn.execute("BEGIN")
    publish(conn)
    conn.execute("ROLLBACK")
    assert read(conn) == []


def test_a_row_that_cannot_be_read_says_so_and_holds_up_nothing(conn):
    conn.execute("INSERT INTO _honker_stream (topic, payload) VALUES ('t', x'ff')")
    conn.execute("INSERT INTO _honker_stream (topic, key, payload) VALUES ('t', CAST(x'ff' AS TEXT), '1')")
    publish(conn, payload="2")
    blob, key, good = read(conn)
    assert (blob["offset"], blob["payload"], blob["malformed"]) == (1, "", "payload is Blob, not Text")
    assert (key["offset"], key["key"]) == (2, None)
    assert key["malformed"].startswith("key is not UTF-8")
    assert (good["payload"], "malformed" in good) == ("2", False)


# ------------------------------------------------------------------------------------------------------------ consumers


def test_an_offset_only_rises(conn):
    assert [save_offset(conn, offset) for offset in (5, 5, 4, 6, -1)] == [1, 0, 0, 1, 0]
    assert get_offset(conn) == 6


@pytest.mark.parametrize("first", [0, -7, 2**63 - 1])
def test_a_first_offset_is_saved_whatever_it_is(conn, first):
    assert save_offset(conn, first) == 1
    assert get_offset(conn) == first


def test_an_offset_that_was_never_saved_is_zero(conn):
    assert get_offset(conn) == 0


def test_offsets_belong_to_consumer_and_topic_in_this_order(conn):
    save_offset(conn, 5, consumer="mailer", topic="orders")
    assert rows(conn, "SELECT name, topic, offset FROM _honker_stream_consumers") == [("mailer", "orders", 5)]
    assert get_offset(conn, "orders", "mailer") == 0
    assert get_offset(conn, "mailer", "orders") == 5


def test_an_error_is_no_offset_zero(conn):
    """A consumer that takes a failure for "nothing saved" would read its topic again from the start."""
    save_offset(conn, 5)
    conn.execute("UPDATE _honker_stream_consumers SET offset = 'far'")
    with refused("HONKER_MALFORMED_ROW", "offset"):
        get_offset(conn)


def test_ten_thousand_events_are_read_at_once(conn):
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        INSERT INTO _honker_stream (topic, payload) SELECT 't', CAST(i AS TEXT) FROM n
    """)
    assert [event["payload"] for event in read(conn, limit=-1)] == [str(n) for n in range(1, 10_001)]
    assert value(conn, "SELECT count(*) FROM _honker_stream") == 10_000


# -------------------------------------------------------------------------------------- many events, and start instants


def publish_many(conn, events, topic="t"):
    return call_json(conn, "honker_stream_publish_many", topic, json.dumps(events))


def test_many_events_are_published_in_order(conn):
    publish(conn)
    assert publish_many(conn, [["k", "a"], [None, None], ["", {"ü": 1}]]) == [2, 3, 4]
    assert [(event["key"], event["payload"]) for event in read(conn, offset=1)] == [
        ("k", '"a"'), (None, "null"), ("", '{"\\u00fc": 1}'),
    ]  # fmt: skip


def test_a_payload_is_stored_in_the_characters_it_came_in(conn):
    texts = ['{"a" :1.50}', '"\\ud800"', "[" * 100_000 + "]" * 100_000, '{"a":1,"a":"ü"}', "-0"]
    call_json(conn, "honker_stream_publish_many", "t", f"[ {','.join(f'[null , {text} ]' for text in texts)}]")
    assert [event["payload"] for event in read(conn)] == texts


def test_no_events_are_published_by_an_empty_list(conn):
    assert publish_many(conn, []) == []
    assert publish(conn) == 1


@pytest.mark.parametrize("events", [{}, [["k"]], [["k", "p", "x"]], [[1, "p"]], [["k", "p"], 7], "x"])
def test_a_list_of_anything_else_publishes_nothing(conn, events):
    with refused("HONKER_INVALID_ARGUMENT", "events_json"):
        publish_many(conn, events)
    assert read(conn) == []


def offset_at(conn, instant):
    return call(conn, "honker_stream_offset_at", instant)


def test_the_offset_of_an_instant_is_that_before_the_first_event_since(conn):
    """Events 1 to 60 were published a minute apart; some of them have been deleted since."""
    now = int(time.time())
    for _ in range(60):
        advance(conn, 60)
        publish(conn)
    conn.execute("UPDATE _honker_stream SET created_at = ? - (60 - offset) * 60", (now,))
    conn.execute("DELETE FROM _honker_stream WHERE offset <= 10 OR offset BETWEEN 30 AND 40")
    for since in [*range(now - 4000, now + 120, 17), *(now - minute * 60 for minute in range(61))]:
        young = [offset for offset, created_at in rows(conn, "SELECT offset, created_at FROM _honker_stream")
                 if created_at >= since]  # fmt: skip
        assert offsets(conn, offset=offset_at(conn, since)) == young


def test_the_offset_of_an_instant_in_an_empty_log_is_zero(conn):
    assert offset_at(conn, time.time()) == 0


def test_the_offset_of_an_instant_after_every_event_is_the_last(conn):
    publish(conn)
    publish(conn)
    assert offset_at(conn, time.time() + 3600) == 2
