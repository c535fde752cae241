"""Retention and requeuing, from Python."""

from datetime import timedelta

import pytest
from honker import InvalidArgumentError, Retention

from ..support.locking import ask


def bury(queue, number):
    ids = []
    for payload in range(number):
        queue.enqueue(payload)
        job = queue.claim_one("w")
        job.fail("x")
        ids.append(job.id)
    return ids


def test_a_dead_job_is_requeued_on_its_own_queue(db, queue):
    (job_id,) = bury(queue, 1)
    assert not db.queue("other").requeue(job_id)
    assert queue.requeue(job_id)
    assert not queue.requeue(job_id)
    job = queue.claim_one("w")
    assert (job.id, job.attempts, job.last_error) == (job_id, 1, "x")


def test_a_database_requeues_a_job_of_any_queue(db, queue):
    (job_id,) = bury(queue, 1)
    assert db.requeue(job_id)
    assert not db.requeue(job_id)


def test_policies_are_told_by_the_database(db, queue):
    queue.retain_dead(max_age_s=timedelta(days=30), max_keep=10_000)
    db.stream("clicks").retain(max_age_s=0.5)
    assert db.retention() == [
        Retention(kind="dead", name="q", max_age_s=2_592_000, max_keep=10_000),
        Retention(kind="stream", name="clicks", max_age_s=0.5, max_keep=None),
    ]
    queue.retain_dead()
    db.stream("clicks").retain()
    assert db.retention() == []


def test_dead_letters_are_pruned_by_number_and_age(path, queue):
    buried = bury(queue, 5)
    assert queue.prune_dead() == 0
    assert queue.prune_dead(max_keep=2) == 3
    assert ask(path, "SELECT id FROM _honker_dead ORDER BY id") == [(job_id,) for job_id in buried[-2:]]
    ask(path, "UPDATE _honker_dead SET died_at = died_at - 100")
    assert queue.prune_dead(older_than_s=timedelta(seconds=200)) == 0
    assert queue.prune_dead(older_than_s=50) == 2


def test_events_are_pruned_and_a_consumer_goes_on_at_the_first_one_kept(db):
    stream = db.stream("t")
    published = stream.publish_many(range(10))
    stream.save_offset("c", published[0])
    assert stream.prune() == 0
    assert stream.prune(max_keep=3) == 7
    with stream.subscribe("c") as events:
        assert [next(events).payload for _ in range(3)] == [7, 8, 9]


def test_a_stream_keeps_close_to_what_it_is_told(path, db):
    stream = db.stream("t")
    stream.retain(max_keep=10)
    for _ in range(20):
        stream.publish_many(range(200))
    assert 10 <= ask(path, "SELECT count(*) FROM _honker_stream")[0][0] < 1_000
    assert [event.payload for event in stream.read_since(0, -1)][-10:] == list(range(190, 200))


@pytest.mark.parametrize("options", [{"max_keep": -1}, {"max_keep": 10**8}], ids=str)
def test_a_limit_out_of_range_is_refused(db, queue, options):
    for method in (queue.retain_dead, queue.prune_dead, db.stream("t").retain, db.stream("t").prune):
        with pytest.raises(InvalidArgumentError, match="max_keep"):
            method(**options)


def test_an_age_below_nothing_is_refused(db, queue):
    for method in (queue.retain_dead, queue.prune_dead, db.stream("t").retain, db.stream("t").prune):
        with pytest.raises(InvalidArgumentError, match=r"age_s|older_than_s"):
            method(-1)
