"""Notifications: rows on a channel, kept for exactly a day."""

import time

import pytest

from .clock import advance
from .database import call, call_json, refused, rows, value

DAY_S = 86_400


def notify(conn, channel="c", payload="{}"):
    return call(conn, "notify", channel, payload)


def count(conn):
    return value(conn, "SELECT count(*) FROM _honker_notifications")


def fill(conn, n):
    conn.execute(
        """
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
        INSERT INTO _honker_notifications (channel, payload) SELECT 'old', '{}' FROM n
        """,
        (n,),
    )


def test_a_notification_is_a_row_of_its_channel(conn):
    before = int(time.time())
    assert notify(conn, "orders", '{"ü":1}') == 1
    channel, payload, created_at = rows(conn, "SELECT channel, payload, created_at FROM _honker_notifications")[0]
    assert (channel, payload) == ("orders", '{"ü":1}')
    assert before <= created_at <= time.time()


def test_ids_grow_over_all_channels_and_are_never_used_again(conn):
    assert [notify(conn, channel) for channel in ("a", "b", "a")] == [1, 2, 3]
    conn.execute("DELETE FROM _honker_notifications")
    assert notify(conn) == 4


def test_notify_works_in_triggers(conn):
    conn.executescript("""
        CREATE TABLE orders (id INTEGER PRIMARY KEY);
        CREATE TRIGGER ordered AFTER INSERT ON orders BEGIN SELECT notify('orders', CAST(NEW.id AS TEXT)); END;
    """)
    conn.execute("INSERT INTO orders VALUES (7), (8)")
    assert rows(conn, "SELECT payload FROM _honker_notifications") == [("7",), ("8",)]


def test_notify_in_a_trigger_deletes_old_notifications_too(conn):
    fill(conn, 63)
    advance(conn, DAY_S + 10)
    conn.executescript("""
        CREATE TABLE orders (id INTEGER PRIMARY KEY);
        CREATE TRIGGER ordered AFTER INSERT ON orders BEGIN SELECT notify('orders', '{}'); END;
    """)
    conn.execute("INSERT INTO orders VALUES (1)")
    assert rows(conn, "SELECT channel FROM _honker_notifications") == [("orders",)]


def test_a_rolled_back_notify_is_not_seen(conn):
    conn.execute("BEGIN")
    notify(conn)
    conn.execute("ROLLBACK")
    assert count(conn) == 0


def test_notifications_of_the_last_day_are_kept(conn):
    fill(conn, 500)
    advance(conn, DAY_S - 10)
    for _ in range(200):
        notify(conn)
    assert count(conn) == 700


def test_notifications_older_than_a_day_are_deleted_in_passing(conn):
    fill(conn, 500)
    advance(conn, DAY_S + 10)
    conn.execute("BEGIN")
    for _ in range(300):
        notify(conn)
    conn.execute("COMMIT")
    assert value(conn, "SELECT count(*) FROM _honker_notifications WHERE channel = 'old'") == 0
    assert count(conn) == 300


def test_a_notify_deletes_a_bounded_number(conn):
    fill(conn, 5000)
    advance(conn, DAY_S + 10)
    left = 5000
    for _ in range(200):
        notify(conn)
        now_left = value(conn, "SELECT count(*) FROM _honker_notifications WHERE channel = 'old'")
        assert left - now_left <= 128
        left = now_left
    assert left < 5000


def test_other_functions_notify_nobody(conn):
    call(conn, "honker_stream_publish", "t", None, "{}")
    call(conn, "honker_result_save", 1, "1", 60)
    call(conn, "honker_lock_acquire", "l", "o", 60)
    assert count(conn) == 0


# ------------------------------------------------------------------------------------------------------------ listening


def read(conn, channel="c", after=0, limit=100):
    return [n["id"] for n in call_json(conn, "honker_notification_read_since", channel, after, limit)]


def last_id(conn, channel="c"):
    return call(conn, "honker_notification_last_id", channel)


def test_a_notification_comes_back_as_it_was_sent(conn):
    before = int(time.time())
    notify(conn, "c", '{"ü": "🚀"}')
    sent = call_json(conn, "honker_notification_read_since", "c", 0, 1)[0]
    assert before <= sent.pop("created_at") <= time.time()
    assert sent == {"id": 1, "channel": "c", "payload": '{"ü": "🚀"}'}


def test_notifications_are_read_by_channel_in_order_after_an_id(conn):
    for channel in "cdccdc":
        notify(conn, channel)
    assert read(conn) == [1, 3, 4, 6]
    assert read(conn, after=3) == [4, 6]
    assert read(conn, after=6) == []
    assert read(conn, "d") == [2, 5]


@pytest.mark.parametrize(("limit", "expected"), [(0, []), (2, [1, 2]), (9, [1, 2, 3]), (-1, [1, 2, 3])])
def test_a_limit_bounds_what_is_read_and_a_negative_one_does_not(conn, limit, expected):
    for _ in range(3):
        notify(conn)
    assert read(conn, limit=limit) == expected


def test_a_listener_that_starts_after_the_last_id_misses_nothing_and_repeats_nothing(conn):
    notify(conn, "c")
    start = last_id(conn)
    notify(conn, "d")
    notify(conn, "c")
    assert (start, read(conn, after=start)) == (1, [3])
    assert (last_id(conn), last_id(conn, "d"), last_id(conn, "e")) == (3, 2, 0)


# -------------------------------------------------------------------------------------------------------------- pruning


def prune(conn, older_than_s=None, max_keep=None):
    return call(conn, "honker_notification_prune", older_than_s, max_keep)


@pytest.fixture
def aged(conn):
    """Notifications 1 to 4, sent 30, 20, 10 and 0 minutes ago, on two channels."""
    for channel in "cdcd":
        advance(conn, 600)
        notify(conn, channel)
    return conn


@pytest.mark.parametrize(
    ("older_than_s", "max_keep", "left"),
    [
        (None, None, [1, 2, 3, 4]),
        (900, None, [3, 4]),
        (3600, None, [1, 2, 3, 4]),
        (-60, None, []),
        (None, 3, [2, 3, 4]),
        (None, 0, []),
        (None, 4, [1, 2, 3, 4]),
        (None, 100, [1, 2, 3, 4]),
        (900, 3, [3, 4]),
        (1500, 1, [4]),
    ],
)
def test_a_prune_deletes_the_old_and_the_many(aged, older_than_s, max_keep, left):
    assert prune(aged, older_than_s, max_keep) == 4 - len(left)
    assert [n for (n,) in rows(aged, "SELECT id FROM _honker_notifications ORDER BY id")] == left


def test_a_prune_does_not_keep_fewer_than_none(conn):
    with refused("HONKER_INVALID_ARGUMENT", "max_keep must not be negative"):
        prune(conn, None, -1)


def test_a_notification_before_the_bootstrap_makes_the_tables(connect):
    """The reference makes the table of notifications when it is loaded."""
    conn = connect()
    assert call(conn, "notify", "orders", "{}") == 1
    assert call(conn, "notify", "orders", "{}") == 2
    assert call(conn, "honker_bootstrap") == 1
    assert value(conn, "SELECT count(*) FROM _honker_notifications") == 2


def test_a_notification_before_the_bootstrap_is_part_of_the_callers_transaction(connect):
    conn = connect()
    conn.execute("BEGIN")
    assert call(conn, "notify", "orders", "{}") == 1
    conn.execute("ROLLBACK")
    assert value(conn, "SELECT count(*) FROM sqlite_master") == 0
