"""Statistics of queues, as objects."""

import pytest
from honker import InvalidArgumentError, QueueStats

EMPTY = QueueStats(
    queue="q",
    ready=0,
    ready_is_exact=True,
    delayed=0,
    delayed_is_exact=True,
    processing=0,
    processing_is_exact=True,
    lapsed=0,
    lapsed_is_exact=True,
    blocked=0,
    blocked_is_exact=True,
    waiting=0,
    waiting_is_exact=True,
    dead=0,
    dead_is_exact=True,
    oldest_ready_age_s=None,
    next_due_at=None,
    paused_at=None,
    paused_until=None,
    pause_reason=None,
)


def test_a_queue_without_jobs_has_no_numbers(queue):
    assert queue.stats() == EMPTY


def test_each_state_is_counted(queue):
    queue.enqueue_many(range(5))
    queue.enqueue_many(range(3), run_at=4_102_444_800)
    leased, failed = queue.claim_batch("w", 2)
    failed.fail("x")
    seen = queue.stats()
    assert (seen.queue, seen.ready, seen.delayed, seen.processing, seen.lapsed, seen.dead) == ("q", 3, 3, 1, 0, 1)
    assert 0 <= seen.oldest_ready_age_s < 60
    assert seen.next_due_at == 4_102_444_800
    leased.ack()
    assert queue.stats().processing == 0


def test_a_count_beyond_the_limit_is_a_lower_bound(queue):
    queue.enqueue_many(range(5))
    seen = queue.stats(count_limit=3)
    assert (seen.ready, seen.ready_is_exact) == (3, False)
    assert (queue.stats(5).ready, queue.stats(5).ready_is_exact) == (5, True)


def test_a_paused_queue_says_since_when(queue):
    queue.pause()
    assert queue.stats().paused_at > 1_700_000_000


@pytest.mark.parametrize("limit", [0, -1, 1_000_001])
def test_a_limit_out_of_range_is_refused(db, queue, limit):
    with pytest.raises(InvalidArgumentError, match="count_limit"):
        queue.stats(limit)
    queue.enqueue(1)
    with pytest.raises(InvalidArgumentError, match="count_limit"):
        db.stats(limit)


def test_a_transaction_sees_its_own_jobs_and_others_do_not(db, queue):
    with db.transaction() as tx:
        queue.enqueue(1, tx=tx)
        assert queue.stats(tx=tx).ready == 1
        assert queue.stats().ready == 0


def test_a_database_tells_of_every_queue_by_name(db):
    assert db.stats() == []
    for name in ("b", "a"):
        db.queue(name).enqueue(1)
    db.queue("c").pause()
    assert [(each.queue, each.ready) for each in db.stats()] == [("a", 1), ("b", 1), ("c", 0)]


def test_a_database_of_more_queues_than_a_page_tells_of_all(db):
    names = [f"{number:05}" for number in range(2_500)]
    with db.transaction() as tx:
        for name in names:
            db.queue(name).enqueue(1, tx=tx)
    assert [each.queue for each in db.stats(1)] == names
