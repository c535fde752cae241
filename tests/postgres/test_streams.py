"""Streams and notifications of several sessions: a reader misses nothing, whatever the order of commits."""

import json
import threading

import psycopg
import pytest

from .sessions import advance, call, connect, together
from .waiting_sessions import open_sessions

PUBLISH = "SELECT honker.honker_stream_publish('t', NULL, %s)"
NOTIFY = "SELECT honker.notify('c', %s)"
PUBLISHERS, EVENTS_EACH = 4, 1000


@pytest.fixture
def sessions(url):
    with open_sessions(url, 3) as opened:
        yield opened


def read(conn, offset=0, limit=1000, topic="t"):
    return json.loads(call(conn, "honker_stream_read_since", topic, offset, limit))


def payloads(events):
    return [event["payload"] for event in events]


def test_a_reader_of_four_publishers_misses_no_event_and_sees_growing_offsets(url):
    is_over = threading.Event()
    seen = []

    def follow(conn):
        while True:
            was_over = is_over.is_set()
            events = read(conn, seen[-1]["offset"] if seen else 0, 100)
            seen.extend(events)
            if was_over and not events:
                return

    def publish(conn, number):
        for first in range(0, EVENTS_EACH, 20):
            # Transactions of different lengths, in which other offsets are drawn.
            with conn.transaction():
                for event in range(first, first + 10):
                    call(conn, "honker_stream_publish", "t", str(number), str(event))
                call(conn, "honker_stream_publish", f"other {number}", None, "0")
            pairs = [[str(number), event] for event in range(first + 10, first + 20)]
            call(conn, "honker_stream_publish_many", "t", json.dumps(pairs))

    with connect(url) as conn:
        reader = threading.Thread(target=follow, args=[conn])
        reader.start()
        try:
            together(url, PUBLISHERS, publish)
        finally:
            is_over.set()
            reader.join(60)
    offsets = [event["offset"] for event in seen]
    assert offsets == sorted(set(offsets))
    for number in range(PUBLISHERS):
        events = [int(event["payload"]) for event in seen if event["key"] == str(number)]
        assert events == list(range(EVENTS_EACH))


@pytest.mark.parametrize("sql", [PUBLISH, NOTIFY])
def test_a_later_event_waits_for_the_end_of_an_earlier_transaction(sessions, sql):
    first, second, reader = sessions
    first.one("BEGIN")
    first.one(sql, "1")
    waiting = second.begin(sql, "2")
    events = "SELECT honker.honker_stream_read_since('t', 0, 10)"
    notifications = "SELECT honker.honker_notification_read_since('c', 0, 10)"
    query = events if sql == PUBLISH else notifications
    assert reader.json(query) == []
    first.one("COMMIT")
    waiting.result(30)
    assert payloads(reader.json(query)) == ["1", "2"]


def test_publishers_of_other_topics_do_not_wait(sessions):
    first, second, _ = sessions
    first.one("BEGIN")
    first.one(PUBLISH, "1")
    assert second.one("SELECT honker.honker_stream_publish('u', NULL, '2')") == 2
    first.one("ROLLBACK")


def test_the_events_of_a_killed_publisher_are_gone_and_others_go_on(sessions):
    first, second, reader = sessions
    first.one("BEGIN")
    first.one(PUBLISH, "lost")
    waiting = second.begin(PUBLISH, "kept")
    first.kill()
    waiting.result(30)
    assert payloads(reader.json("SELECT honker.honker_stream_read_since('t', 0, 10)")) == ["kept"]


def test_publishers_that_cross_are_told_to_try_again(sessions):
    first, second, _ = sessions
    publish = "SELECT honker.honker_stream_publish(%s, NULL, '1')"
    first.one("BEGIN")
    first.one(publish, "a")
    second.one("BEGIN")
    second.one(publish, "b")
    waiting = first.begin(publish, "b")
    with pytest.raises(psycopg.errors.DeadlockDetected):  # noqa: PT012 - either of the two is ended
        second.one(publish, "a")
        waiting.result(30)


def test_publishing_keeps_a_topic_near_its_policy(conn):
    call(conn, "honker_retention_set", "stream", "t", None, 100)
    for _ in range(40):
        call(conn, "honker_stream_publish_many", "t", json.dumps([[None, 0]] * 50))
        kept = read(conn, 0, -1)
        # One in 64 is the turn to prune, by chance, and the surplus is searched after 64 more.
        assert len(kept) <= 100 + 8 * 64
    assert kept[-1]["offset"] == 2000


def test_publishing_deletes_old_events(conn):
    call(conn, "honker_retention_set", "stream", "t", 60, None)
    call(conn, "honker_stream_publish_many", "t", json.dumps([[None, "old"]] * 300))
    advance(conn, 120)
    for _ in range(20):
        call(conn, "honker_stream_publish_many", "t", json.dumps([[None, "new"]] * 64))
    assert '"old"' not in payloads(read(conn, 0, -1))


def test_a_policy_deletes_a_bounded_number_of_events(conn):
    call(conn, "honker_stream_publish_many", "t", json.dumps([[None, 0]] * 3000))
    call(conn, "honker_retention_set", "stream", "t", None, 0)
    before = len(read(conn, 0, -1))
    call(conn, "honker_stream_publish_many", "t", json.dumps([[None, 0]] * 64))
    turns = conn.execute("SELECT count(*) FROM generate_series(3001, 3064) AS n WHERE _is_prune_turn(n)").fetchone()[0]
    assert before + 64 - len(read(conn, 0, -1)) <= 128 * turns


def test_two_prunes_at_once_delete_each_event_once(conn, url):
    call(conn, "honker_stream_publish_many", "t", json.dumps([[None, 0]] * 2000))
    pruned = together(url, 2, lambda session, _: call(session, "honker_stream_prune", "t", None, 500))
    assert sum(pruned) == 1500
    assert len(read(conn, 0, -1)) == 500


def test_a_read_stops_at_sixteen_mebibytes_and_reads_on_after_them(conn):
    for number in range(3):
        call(conn, "honker_stream_publish", "t", None, json.dumps(str(number) + "x" * 9_000_000))
    first = read(conn)
    assert [event["offset"] for event in first] == [1, 2]
    assert [event["offset"] for event in read(conn, 2)] == [3]


def test_the_larger_of_two_offsets_stays(sessions):
    first, second, reader = sessions
    save = "SELECT honker.honker_stream_save_offset('c', 't', %s)"
    first.one("BEGIN")
    assert first.one(save, 9) == 1
    waiting = second.begin(save, 5)
    first.one("COMMIT")
    assert waiting.result(30) == 0
    assert reader.one("SELECT honker.honker_stream_get_offset('c', 't')") == 9


def test_old_notifications_are_deleted_by_later_ones(conn):
    for number in range(100):
        call(conn, "notify", "c", str(number))
    advance(conn, 2 * 86_400)
    for _ in range(64):
        call(conn, "notify", "d", "new")
    assert conn.execute("SELECT count(*) FROM notifications").fetchone()[0] == 64
