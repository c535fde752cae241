"""Retention of dead letters and events: the kept rows, pruning by other calls, and the bound on one write's deletes."""

import json

import pytest

from .clock import advance
from .database import call, call_json, claimed_ids, dump, enqueue, refused, rows, value
from .jobs import count, live

DAY = 86_400
EVERY = 64  # one of so many events, on average, triggers pruning
TURN_MAX = 128  # the most rows that such a turn deletes


def retain(conn, kind, name, max_age_s=None, max_keep=None):
    return call(conn, "honker_retention_set", kind, name, max_age_s, max_keep)


def publish(conn, number, topic="t"):
    """Publish events, one call each, in one transaction for speed."""
    conn.execute("BEGIN")
    offsets = [call(conn, "honker_stream_publish", topic, None, "{}") for _ in range(number)]
    conn.execute("COMMIT")
    return offsets


def publish_together(conn, number, topic="t"):
    return call_json(conn, "honker_stream_publish_many", topic, json.dumps([[None, "{}"]] * number))


def offsets(conn, topic="t"):
    return [offset for (offset,) in rows(conn, "SELECT offset FROM _honker_stream WHERE topic = ? ORDER BY 1", topic)]


def bury(conn, number, queue="q"):
    """Make dead letters, one call each, and return their ids."""
    ids = []
    conn.execute("BEGIN")
    for _ in range(number):
        enqueue(conn, queue)
        (job_id,) = claimed_ids(conn, queue)
        call(conn, "honker_fail", job_id, "w", "x")
        ids.append(job_id)
    conn.execute("COMMIT")
    return ids


def dead(conn, queue="q"):
    return [job_id for (job_id,) in rows(conn, "SELECT id FROM _honker_dead WHERE queue = ? ORDER BY id", queue)]


# ------------------------------------------------------------------------------------------------------------- policies


def test_without_a_policy_everything_is_kept(conn):
    publish(conn, 300)
    bury(conn, 100)
    advance(conn, 1000 * DAY)
    publish(conn, 300)
    bury(conn, 100)
    assert len(offsets(conn)) == 600
    assert len(dead(conn)) == 200


def test_a_policy_replaces_the_one_before(conn):
    retain(conn, "stream", "t", 60, 5)
    retain(conn, "stream", "t", max_age_s=0.5)
    assert call_json(conn, "honker_retention_list") == [
        {"kind": "stream", "name": "t", "max_age_s": 0.5, "max_keep": None}
    ]


def test_a_policy_that_is_removed_keeps_everything_again(conn):
    retain(conn, "stream", "t", max_keep=0)
    assert retain(conn, "stream", "t") == 1
    assert retain(conn, "stream", "t") == 0
    publish(conn, 300)
    assert len(offsets(conn)) == 300


def test_a_queue_and_a_topic_of_one_name_have_policies_of_their_own(conn):
    retain(conn, "stream", "x", max_keep=0)
    bury(conn, 200, "x")
    assert len(dead(conn, "x")) == 200


@pytest.mark.parametrize("kind", ["", "job", "Stream", "results"])
def test_another_kind_is_refused(conn, kind):
    with refused("HONKER_INVALID_ARGUMENT", "dead and stream are allowed"):
        retain(conn, kind, "x", 60)


# -------------------------------------------------------------------------------------------------------------- streams


def test_a_stream_keeps_close_to_its_number(conn):
    retain(conn, "stream", "t", max_keep=100)
    newest = publish(conn, 6_000)[-100:]
    kept = offsets(conn)
    assert set(newest) <= set(kept)
    assert len(kept) < 1_500


def test_events_that_are_to_be_kept_are_never_deleted(conn):
    retain(conn, "stream", "t", max_keep=50)
    for _ in range(200):
        newest = publish(conn, 10)[-50:]
        assert set(newest) <= set(offsets(conn))


def test_old_events_go_in_passing_and_young_ones_stay(conn):
    retain(conn, "stream", "t", DAY)
    old = publish(conn, 500)
    advance(conn, 2 * DAY)
    young = publish(conn, 3_000)
    kept = offsets(conn)
    assert kept[-3_000:] == young
    assert not set(kept) & set(old)


def test_one_publish_deletes_a_bounded_number(conn):
    publish_together(conn, 5_000)
    retain(conn, "stream", "t", max_keep=0)
    before, steps = len(offsets(conn)), set()
    for _ in range(10 * EVERY):
        publish(conn, 1)
        after = len(offsets(conn))
        steps.add(before + 1 - after)
        before = after
    assert max(steps) == TURN_MAX
    assert min(steps) == 0


def test_topics_whose_events_take_turns_are_all_pruned(conn):
    """Every 64th offset would always belong to the same topic."""
    for topic in ("a", "b"):
        retain(conn, "stream", topic, max_keep=10)
    for _ in range(2_000):
        publish(conn, 1, "a")
        publish(conn, 1, "b")
    assert len(offsets(conn, "a")) < 1_000
    assert len(offsets(conn, "b")) < 1_000


def test_another_topic_is_left_alone(conn):
    retain(conn, "stream", "t", max_keep=0)
    publish(conn, 300, "u")
    publish(conn, 1_000, "t")
    assert len(offsets(conn, "u")) == 300


def test_events_published_together_prune_too(conn):
    retain(conn, "stream", "t", max_keep=100)
    for _ in range(40):
        newest = publish_together(conn, 200)[-100:]
    assert set(newest) <= set(offsets(conn))
    assert len(offsets(conn)) < 1_000


def test_a_backlog_shrinks(conn):
    publish_together(conn, 3_000)
    retain(conn, "stream", "t", max_keep=100)
    publish(conn, 4_000)
    assert len(offsets(conn)) < 1_500


def test_a_publish_succeeds_where_pruning_is_refused(conn):
    retain(conn, "stream", "t", max_keep=0)
    conn.execute("CREATE TRIGGER kept BEFORE DELETE ON _honker_stream BEGIN SELECT RAISE(ABORT, 'kept'); END")
    assert len(publish(conn, 300)) == len(offsets(conn)) == 300
    for _ in range(100):
        call(conn, "honker_stream_publish", "t", None, "{}")  # each in a separate transaction
    assert len(publish_together(conn, 200)) == 200
    conn.execute("BEGIN")
    assert len(publish_together(conn, 200)) == 200
    conn.execute("COMMIT")
    assert len(offsets(conn)) == 800
    assert not conn.in_transaction


@pytest.mark.parametrize("number", [1, 3])
def test_a_publish_fails_where_pruning_ends_the_transaction(conn, number):
    retain(conn, "stream", "t", max_keep=0)
    conn.execute("CREATE TRIGGER ended BEFORE DELETE ON _honker_stream BEGIN SELECT RAISE(ROLLBACK, 'ended'); END")
    conn.execute("BEGIN")
    with refused("HONKER_CONSTRAINT", "ended"):
        while True:
            if number == 1:
                call(conn, "honker_stream_publish", "t", None, "{}")
            else:
                publish_together(conn, number)
    assert not conn.in_transaction
    assert offsets(conn) == []


def test_offsets_are_not_used_again_after_everything_was_pruned(conn):
    last = publish_together(conn, 10)[-1]
    assert call(conn, "honker_stream_prune", "t", None, 0) == 10
    assert publish(conn, 1) == [last + 1]


def test_a_consumer_behind_the_horizon_goes_on_at_the_first_event_kept(conn):
    published = publish_together(conn, 10)
    call(conn, "honker_stream_save_offset", "c", "t", published[2])
    call(conn, "honker_stream_prune", "t", None, 4)
    offset = call(conn, "honker_stream_get_offset", "c", "t")
    read = call_json(conn, "honker_stream_read_since", "t", offset, 99)
    assert [event["offset"] for event in read] == published[-4:]


@pytest.mark.parametrize(("max_keep", "deleted"), [(0, 10), (1, 9), (9, 1), (10, 0), (10_000_000, 0), (None, 0)])
def test_pruning_keeps_the_newest(conn, max_keep, deleted):
    published = publish_together(conn, 10)
    publish_together(conn, 3, "other")
    assert call(conn, "honker_stream_prune", "t", None, max_keep) == deleted
    assert offsets(conn) == published[deleted:]
    assert len(offsets(conn, "other")) == 3


def test_pruning_deletes_what_is_old_or_too_much(conn):
    publish_together(conn, 3)
    advance(conn, 100)
    middle = publish_together(conn, 3)
    advance(conn, 100)
    young = publish_together(conn, 3)
    assert call(conn, "honker_stream_prune", "t", 150, None) == 3
    assert call(conn, "honker_stream_prune", "t", 150, 4) == 2
    assert offsets(conn) == middle[-1:] + young


# --------------------------------------------------------------------------------------------------------- dead letters


def test_old_dead_letters_go_with_the_next_burials(conn):
    retain(conn, "dead", "q", DAY)
    bury(conn, 50)
    advance(conn, 2 * DAY)
    young = bury(conn, 30)
    assert dead(conn) == young


def test_one_burial_deletes_a_bounded_number(conn):
    bury(conn, 500)
    advance(conn, 2 * DAY)
    retain(conn, "dead", "q", DAY)
    before, steps = len(dead(conn)), set()
    for _ in range(30):
        bury(conn, 1)
        after = len(dead(conn))
        steps.add(before + 1 - after)
        before = after
    assert steps <= {4, TURN_MAX}


def test_a_queue_keeps_close_to_its_number_of_dead_letters(conn):
    retain(conn, "dead", "q", max_keep=20)
    newest = bury(conn, 1_500)[-20:]
    assert set(newest) <= set(dead(conn))
    assert len(dead(conn)) < 1_000


def test_dead_letters_of_one_second_are_told_apart_by_their_ids(conn):
    buried = bury(conn, 10)
    conn.execute("UPDATE _honker_dead SET died_at = 5")
    assert call(conn, "honker_dead_prune", "q", None, 3) == 7
    assert dead(conn) == buried[-3:]


@pytest.mark.parametrize(("max_keep", "deleted"), [(0, 6), (2, 4), (6, 0), (None, 0)])
def test_pruning_keeps_the_newest_dead_letters(conn, max_keep, deleted):
    buried = bury(conn, 6)
    bury(conn, 2, "other")
    assert call(conn, "honker_dead_prune", "q", None, max_keep) == deleted
    assert dead(conn) == buried[deleted:]
    assert len(dead(conn, "other")) == 2


def test_pruning_deletes_old_dead_letters(conn):
    bury(conn, 3)
    advance(conn, 100)
    young = bury(conn, 2)
    assert call(conn, "honker_dead_prune", "q", 50, None) == 3
    assert dead(conn) == young


# ------------------------------------------------------------------------------------------------------------ requeuing


def test_a_requeued_job_starts_anew_under_its_id(conn):
    job_id = enqueue(conn, payload='{"n": 1}', priority=7, max_attempts=2)
    claimed_ids(conn)
    call(conn, "honker_fail", job_id, "w", "no such address")
    assert call(conn, "honker_requeue", job_id) == 1
    assert count(conn, "_honker_dead") == 0
    job = call_json(conn, "honker_get_job", job_id)
    seen = {key: job[key] for key in ("payload", "state", "priority", "attempts", "max_attempts", "worker_id")}
    assert seen == {
        "payload": '{"n": 1}', "state": "pending", "priority": 7, "attempts": 0, "max_attempts": 2, "worker_id": None,
    }  # fmt: skip
    assert live(conn, "last_error", job_id) == "no such address"
    assert claimed_ids(conn) == [job_id]


@pytest.mark.parametrize(("expires", "is_kept"), [(3600, True), (-1, False)])
def test_an_expiry_that_has_passed_is_dropped(conn, expires, is_kept):
    (job_id,) = bury(conn, 1)
    conn.execute("UPDATE _honker_dead SET expires_at = unixepoch() + ?", (expires,))
    call(conn, "honker_requeue", job_id)
    assert (live(conn, "expires_at", job_id) is not None) == is_kept
    assert claimed_ids(conn) == [job_id]


def test_only_a_dead_job_of_the_queue_is_requeued(conn):
    (job_id,) = bury(conn, 1)
    waiting = enqueue(conn)
    before = dump(conn)
    assert call(conn, "honker_requeue", job_id, "other") == 0
    assert call(conn, "honker_requeue", waiting) == 0
    assert call(conn, "honker_requeue", 999) == 0
    assert dump(conn) == before
    assert call(conn, "honker_requeue", job_id, "q") == 1


def test_a_live_job_of_the_same_id_is_not_overwritten(conn):
    job_id = enqueue(conn, payload='"live"')
    conn.execute("INSERT INTO _honker_dead (id, queue, payload) VALUES (?, 'q', 'dead')", (job_id,))
    assert call(conn, "honker_requeue", job_id) == 0
    assert live(conn, "payload", job_id) == '"live"'
    assert count(conn, "_honker_dead") == 1


def test_a_dead_letter_of_the_reference_can_be_requeued(conn):
    """The reference omits columns that it does not use, and counts no attempts."""
    conn.execute("INSERT INTO _honker_dead (id, queue, payload, max_attempts) VALUES (77, 'q', '1', 0)")
    assert call(conn, "honker_requeue", 77) == 1
    assert claimed_ids(conn) == [77]
    assert enqueue(conn) > 77


def test_policies_come_with_the_upgrade(conn):
    assert value(conn, "SELECT count(*) FROM _honker_retention") == 0
