"""Subscriptions and listeners after a restored backup or a pruning."""

import sqlite3

import pytest

from ..support.feeds import take_by_awaiting

pytestmark = pytest.mark.sqlite_only("backups of the file")


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
