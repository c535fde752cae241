"""Notifications: a listener gets every later commit on its channel, in order, once."""

import asyncio
import gc
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from honker import DatabaseClosedError, InvalidArgumentError, InvalidPayloadError

from ..support.feeds import SENDER, WAYS, empty_looks, take_after, take_by_awaiting, take_by_blocking
from ..support.locking import ask, is_locked, write_lock_elsewhere
from ..support.processes import running
from ..support.waiting import wait_until

LATENESS_S = 3.0  # allowed delay of a wake; a missed one is 15 s late
PAYLOADS = [None, True, 0, 2**70, 1.5, "", "null", "ü\0\n", [], {"a": [1, {"b": None}]}]


@pytest.fixture
def listener(db):
    with db.listen("c") as opened:
        yield opened


def payloads(notifications):
    return [notification.payload for notification in notifications]


def stored(path):
    return ask(path, "SELECT id, channel, payload FROM _honker_notifications ORDER BY id")


def ids(path):
    return [row[0] for row in stored(path)]


# -------------------------------------------------------------------------------------------------------------- sending


def test_notify_stores_default_json_text_and_returns_the_id(db, path):
    before = int(time.time())
    assert db.notify("c", {"n": 1, "s": "ü"}) == 1
    assert db.notify("d", "x") == 2
    assert stored(path) == [(1, "c", json.dumps({"n": 1, "s": "ü"})), (2, "d", '"x"')]
    for (created_at,) in ask(path, "SELECT created_at FROM _honker_notifications"):
        assert before <= created_at <= time.time()


def test_anotify_does_as_notify(db, path):
    assert asyncio.run(db.anotify("c", [1])) == 1
    assert stored(path) == [(1, "c", "[1]")]


def test_anotify_does_not_block_the_loop_while_another_process_writes(db, path):
    async def main(release):
        sending = asyncio.ensure_future(db.anotify("c", 1))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not sending.done()
        release()
        return await asyncio.wait_for(sending, 10)

    with write_lock_elsewhere(path) as release:
        assert asyncio.run(main(release)) == 1


def test_a_notification_sent_in_a_transaction_is_there_if_it_commits(db, path):
    with db.transaction() as tx:
        assert tx.notify("c", 1) == 1
        assert db.notify("c", 2, tx=tx) == 2
        assert stored(path) == []
    assert stored(path) == [(1, "c", "1"), (2, "c", "2")]
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
        tx.notify("c", 3)
        db.notify("c", 4, tx=tx)
        raise ZeroDivisionError
    assert stored(path) == [(1, "c", "1"), (2, "c", "2")]


@pytest.mark.parametrize("payload", [object(), {1}, b"b", float("nan")], ids=lambda value: type(value).__name__)
def test_a_payload_without_a_json_form_sends_nothing(db, path, payload):
    with pytest.raises(InvalidPayloadError):
        db.notify("c", payload)
    with pytest.raises(InvalidPayloadError):
        asyncio.run(db.anotify("c", payload))
    with db.transaction() as tx, pytest.raises(TypeError):
        tx.notify("c", payload)
    assert stored(path) == []


def test_a_channel_must_have_a_name(db, path):
    with pytest.raises(InvalidArgumentError, match="channel"):
        db.notify("", 1)
    with pytest.raises(InvalidArgumentError, match="channel"):
        db.listen("")
    assert stored(path) == []


# ------------------------------------------------------------------------------------------------------------ listening


def test_a_listener_hears_what_is_sent_from_now_on_and_no_history(db, take):
    db.notify("c", "before")
    with db.listen("c") as listener:
        db.notify("c", "after")
        assert payloads(take(listener)) == ["after"]
        assert payloads(take_after(take, listener, lambda: db.notify("c", "later"))) == ["later"]


def test_a_listener_hears_everything_in_order_and_once(db, listener, take):
    for number in range(50):
        db.notify("c", number)
    heard = take(listener, 50)
    assert payloads(heard) == list(range(50))
    assert [notification.id for notification in heard] == list(range(1, 51))
    assert payloads(take_after(take, listener, lambda: db.notify("c", "next"))) == ["next"]


def test_a_notification_carries_id_channel_and_time(db, listener):
    before = int(time.time())
    sent = db.notify("c", "p")
    notification = next(listener)
    assert (notification.id, notification.channel, notification.payload) == (sent, "c", "p")
    assert before <= notification.created_at <= time.time()
    assert str(sent) in repr(notification)
    assert "'c'" in repr(notification)


@pytest.mark.parametrize("payload", PAYLOADS, ids=repr)
def test_a_payload_comes_back_as_it_was_sent(db, listener, payload):
    db.notify("c", payload)
    assert next(listener).payload == payload


@pytest.mark.parametrize(
    ("text", "payload"), [("", None), ("null", None), ("plain", "plain"), ("{", "{"), ('"q"', "q"), ("[1]", [1])]
)
def test_text_that_somebody_else_stored_comes_decoded_if_it_is_json_and_else_as_it_is(path, listener, text, payload):
    ask(path, "INSERT INTO _honker_notifications (channel, payload) VALUES ('c', ?)", text)
    assert next(listener).payload == payload


def test_notifications_of_other_channels_are_not_heard(db, listener, take):
    def send():
        for channel in ("d", "cc", "C", ""):
            ask(db.path, "INSERT INTO _honker_notifications (channel, payload) VALUES (?, 'null')", channel)
        db.notify("c", "mine")

    assert payloads(take_after(take, listener, send)) == ["mine"]


def test_a_notification_that_was_rolled_back_is_never_heard(db, listener, take):
    def send():
        with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012
            tx.notify("c", "rolled back")
            raise ZeroDivisionError
        with db.transaction() as tx:
            tx.notify("c", "committed")

    assert payloads(take_after(take, listener, send)) == ["committed"]
    with pytest.raises(asyncio.TimeoutError):
        take_by_awaiting(listener, timeout_s=0.05)


def test_a_notification_is_not_heard_before_it_is_committed(db):
    with ThreadPoolExecutor(1) as executor, db.listen("c") as listener:
        looks = empty_looks(listener)
        waiting = executor.submit(next, listener)
        wait_until(lambda: looks)
        with db.transaction() as tx:
            tx.notify("c", 1)
            assert not waiting.done()
        assert waiting.result(timeout=10).payload == 1


def test_two_listeners_of_a_channel_each_hear_everything(db, take):
    with db.listen("c") as first, db.listen("c") as second:
        for number in range(10):
            db.notify("c", number)
        assert payloads(take(first, 10)) == list(range(10))
        assert payloads(take(second, 10)) == list(range(10))


def test_a_listener_misses_what_was_pruned_before_it_came_to_read_it(db, listener, take):
    for number in range(5):
        db.notify("c", number)
    assert db.prune_notifications(max_keep=2) == 3
    assert payloads(take(listener, 2)) == [3, 4]


def test_a_listener_goes_on_when_everything_was_pruned(db, listener, take):
    for number in range(5):
        db.notify("c", number)
    assert payloads(take(listener, 3)) == [0, 1, 2]
    listener._ahead.clear()
    db.prune_notifications(max_keep=0)
    with db.listen("c") as late:
        db.notify("c", "next")
        assert payloads(take(listener)) == ["next"]
        assert payloads(take(late)) == ["next"]


def test_a_listener_wakes_when_another_process_sends(db, path, listener, take):
    with running(SENDER, path) as sender:
        sender.expect("ready")
        assert payloads(take_after(take, listener, lambda: sender.say("hello"))) == ["hello"]
        assert time.time() - float(sender.line()) < LATENESS_S


def test_a_hundred_notifications_of_another_process_are_heard_within_a_second(path, listener, take):
    with running(SENDER, path) as sender:
        sender.expect("ready")
        began = time.monotonic()
        for number in range(100):
            sender.say(number)
        assert payloads(take(listener, 100)) == [str(number) for number in range(100)]
        assert time.monotonic() - began < 1


def test_a_hundred_notifications_heard_one_by_one_take_less_than_a_second(db):
    """Each is sent only after the previous one arrived, so each needs a separate wake."""

    async def main():
        with db.listen("c") as listener:
            began = time.monotonic()
            for number in range(100):
                hearing = asyncio.ensure_future(anext(listener))
                await asyncio.sleep(0)
                await db.anotify("c", number)
                assert (await hearing).payload == number
            return time.monotonic() - began

    assert asyncio.run(main()) < 1


def test_five_hundred_commits_beside_an_idle_listener_take_less_than_two_seconds(db):
    with db.listen("c", fallback_poll_s=None), db.listen("d"):
        began = time.monotonic()
        for number in range(500):
            db.notify("c", number)
        assert time.monotonic() - began < 2


def test_a_listener_that_was_busy_looks_a_few_times_and_not_once_for_each_commit(db, listener):
    """Wakes coalesce: a listener next to a busy writer has no backlog of wakes."""
    for number in range(1000):
        db.notify("d", number)
    looks = empty_looks(listener)
    with pytest.raises(asyncio.TimeoutError):
        take_by_awaiting(listener, timeout_s=0.3)
    assert 1 <= len(looks) <= 3


def test_a_listener_that_was_busy_reads_what_was_sent_in_parts(db, listener):
    with db.transaction() as tx:
        for number in range(2500):
            tx.notify("c", number)
    assert next(listener).payload == 0
    assert len(listener._ahead) < 1000
    assert payloads(take_by_blocking(listener, 2499)) == list(range(1, 2500))


def test_a_listener_looks_by_itself_after_the_fallback_poll(db, take, monkeypatch):
    """Even a lost wake loses no notification."""
    listener = db.listen("c", fallback_poll_s=0.05)
    monkeypatch.setattr(listener, "_updates", Deaf(listener._updates))
    assert payloads(take_after(take, listener, lambda: db.notify("c", 1))) == [1]
    listener.close()


class Deaf:
    """Update events that never arrive, so that only the time limit of a wait ends it."""

    def __init__(self, updates):
        self._updates = updates
        self.check_process = updates.check_process

    def wait(self, timeout_s):
        time.sleep(timeout_s)
        return False

    async def wait_async(self, timeout_s):
        await asyncio.sleep(timeout_s)
        return False

    def close(self):
        self._updates.close()


def test_one_listener_works_as_for_and_as_async_for(db, listener):
    for take in (take_by_blocking, take_by_awaiting, take_by_blocking):
        db.notify("c", 1)
        db.notify("c", 2)
        assert payloads(take(listener, 2)) == [1, 2]


def test_a_listener_may_be_used_in_several_event_loops_one_after_the_other(db, listener):
    listener._fallback_poll_s = None
    for number in range(3):
        with pytest.raises(asyncio.TimeoutError):
            take_by_awaiting(listener, timeout_s=0.02)
        assert payloads(take_after(take_by_awaiting, listener, lambda n=number: db.notify("c", n))) == [number]


def test_listeners_in_two_event_loops_at_once_both_hear_everything(db):
    with ThreadPoolExecutor(2) as executor, db.listen("c", None) as first, db.listen("c", None) as second:
        looks = [empty_looks(listener) for listener in (first, second)]
        hearing = [executor.submit(take_by_awaiting, listener, 20) for listener in (first, second)]
        for number in range(20):
            wait_until(lambda number=number: all(looks) or all(each.done() for each in hearing) or number)
            db.notify("c", number)
        assert [payloads(each.result()) for each in hearing] == [list(range(20))] * 2


def test_a_cancelled_wait_leaves_the_listener_usable(db):
    async def main():
        with db.listen("c", fallback_poll_s=None) as listener:
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(anext(listener), 0.02)
            await db.anotify("c", 1)
            return await asyncio.wait_for(anext(listener), 10)

    assert asyncio.run(main()).payload == 1


@pytest.mark.sqlite_only("the WAL of the file")
def test_a_listener_that_waits_holds_no_transaction(db, path):
    with ThreadPoolExecutor(1) as executor, db.listen("c") as listener:
        looks = empty_looks(listener)
        waiting = executor.submit(next, listener)
        wait_until(lambda: looks)
        db.notify("d", 1)
        assert not is_locked(path)
        assert ask(path, "PRAGMA wal_checkpoint(TRUNCATE)") == [(0, 0, 0)]
        db.notify("c", 2)
        assert waiting.result(timeout=10).payload == 2


def test_closing_a_listener_ends_its_wait(db):
    listener = db.listen("c")
    looks = empty_looks(listener)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(next, listener)
        wait_until(lambda: looks)
        listener.close()
        with pytest.raises(DatabaseClosedError):
            waiting.result(timeout=10)
    listener.close()


def test_closing_the_database_ends_every_wait(db):
    listener = db.listen("c")
    looks = empty_looks(listener)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(next, listener)
        wait_until(lambda: looks)
        db.close()
        with pytest.raises(DatabaseClosedError):
            waiting.result(timeout=10)
    with pytest.raises(DatabaseClosedError):
        db.listen("c")


# -------------------------------------------------------------------------------------------------------------- leaving


def threads():
    return len(os.listdir("/proc/self/task"))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def subscribers(updates):
    return updates.stats()["subscribers"]


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts threads and descriptors in /proc")


@needs_proc
@pytest.mark.parametrize("way", [*WAYS, "none"])
@pytest.mark.sqlite_only("counts the threads of the watcher")
def test_listeners_that_are_forgotten_leave_no_thread_and_no_descriptor(db, way):
    """Without close(), the garbage collector ends them."""
    db.notify("c", 0)
    db.query("SELECT 1")
    updates = db.update_events()
    listener = db.listen("c")
    db.notify("c", 0)
    take_by_awaiting(listener)  # opens the connection that event loops read on
    del listener
    gc.collect()
    before = threads(), descriptors(), subscribers(updates)
    for number in range(300):
        listener = db.listen("c")
        if way != "none" and number % 10 == 0:
            db.notify("c", number)
            assert payloads(WAYS[way](listener)) == [number]
    del listener
    gc.collect()
    wait_until(lambda: (threads(), descriptors(), subscribers(updates)) == before)


@needs_proc
@pytest.mark.sqlite_only("counts the threads of the watcher")
def test_a_hundred_listeners_share_one_thread(db):
    with db.listen("c"):
        before = threads()
        with ExitStack() as stack:
            listeners = [stack.enter_context(db.listen("c")) for _ in range(100)]
            assert threads() == before
            db.notify("c", 1)
            assert [next(listener).payload for listener in listeners] == [1] * 100


@needs_proc
def test_closed_listeners_leave_no_descriptor_even_if_they_are_kept(db):
    updates = db.update_events()
    before = subscribers(updates)
    kept = [db.listen("c") for _ in range(50)]
    for listener in kept:
        listener.close()
    wait_until(lambda: subscribers(updates) == before)


# -------------------------------------------------------------------------------------------------------------- pruning


def age(path, notification_id, seconds):
    ask(
        path,
        "UPDATE _honker_notifications SET created_at = unixepoch() - ? WHERE id = ?",
        seconds,
        notification_id,
    )


@pytest.fixture
def aged(db, path):
    """Six notifications of two channels, 600, 500, ... and 100 seconds old."""
    for number in range(1, 7):
        age(path, db.notify("ab"[number % 2], number), 700 - 100 * number)
    return db


def test_prune_without_arguments_deletes_nothing(aged, path):
    assert aged.prune_notifications() == 0
    assert ids(path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("older_than_s", [350, 350.5, timedelta(seconds=350)], ids=lambda value: type(value).__name__)
def test_prune_deletes_what_is_older(aged, path, older_than_s):
    assert aged.prune_notifications(older_than_s) == 3
    assert ids(path) == [4, 5, 6]
    assert aged.prune_notifications(older_than_s) == 0


def test_prune_keeps_the_newest_of_all_channels_together(aged, path):
    assert aged.prune_notifications(max_keep=4) == 2
    assert ids(path) == [3, 4, 5, 6]
    assert aged.prune_notifications(max_keep=4) == 0


def test_prune_counts_rows_and_not_ids(aged, path):
    ask(path, "DELETE FROM _honker_notifications WHERE id IN (2, 4, 5)")
    assert aged.prune_notifications(max_keep=3) == 0
    assert aged.prune_notifications(max_keep=2) == 1
    assert ids(path) == [3, 6]


@pytest.mark.parametrize(("older_than_s", "max_keep", "left"), [(450, 5, [3, 4, 5, 6]), (550, 3, [4, 5, 6])])
def test_prune_deletes_what_either_condition_applies_to(aged, path, older_than_s, max_keep, left):
    assert aged.prune_notifications(older_than_s, max_keep) == 6 - len(left)
    assert ids(path) == left


def test_prune_may_delete_everything_and_ids_are_not_used_again(aged, path):
    assert aged.prune_notifications(max_keep=0) == 6
    assert ids(path) == []
    assert aged.prune_notifications(max_keep=0) == 0
    assert aged.notify("c", 1) == 7


@pytest.mark.parametrize("max_keep", [7, 2**63 - 1, 2**63, 2**64, 10**30])
def test_a_max_keep_beyond_what_there_is_deletes_nothing(aged, path, max_keep):
    assert aged.prune_notifications(max_keep=max_keep) == 0
    assert ids(path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("max_keep", [2**63 - 1, 2**63, 10**30])
def test_a_max_keep_beyond_what_there_is_leaves_the_age_to_decide(aged, path, max_keep):
    assert aged.prune_notifications(350, max_keep) == 3
    assert ids(path) == [4, 5, 6]


@pytest.mark.parametrize("older_than_s", [None, 0, 350])
@pytest.mark.parametrize("max_keep", [-1, -(2**63), -(10**30)])
def test_a_negative_max_keep_is_refused(aged, path, older_than_s, max_keep):
    with pytest.raises(ValueError, match="max_keep must not be negative"):
        aged.prune_notifications(older_than_s, max_keep)
    assert ids(path) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("arguments", [("old",), (float("nan"),), (None, "few"), (None, 1.5)], ids=repr)
def test_what_is_no_number_is_refused(aged, path, arguments):
    with pytest.raises((InvalidArgumentError, TypeError)):
        aged.prune_notifications(*arguments)
    assert ids(path) == [1, 2, 3, 4, 5, 6]


def test_pruning_in_a_transaction_is_undone_with_it(aged, path):
    with pytest.raises(ZeroDivisionError), aged.transaction() as tx:  # noqa: PT012
        assert aged.prune_notifications(350, tx=tx) == 3
        raise ZeroDivisionError
    assert ids(path) == [1, 2, 3, 4, 5, 6]
    with aged.transaction() as tx:
        aged.prune_notifications(max_keep=1, tx=tx)
    assert ids(path) == [6]


def test_prune_deletes_nothing_that_is_younger_than_asked(db, path):
    """Notifications store the second they were sent in; rounding must not make them older."""
    wait_until(lambda: 0.6 < time.time() % 1 < 0.95)
    sent_at = time.time()
    db.notify("c", 1)
    wait_until(lambda: time.time() > int(sent_at) + 1.05)
    pruned = db.prune_notifications(older_than_s=1)
    assert time.time() - sent_at < 1, "the second ended meanwhile"
    assert (pruned, ids(path)) == (0, [1])
