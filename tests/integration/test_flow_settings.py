"""Settings of queues: their types, their defaults and their effect on claims."""

import asyncio

import honker
import pytest
from honker.queue.settings import UNSET, QueueSettings

NOTHING = QueueSettings(
    concurrency=None,
    concurrency_per_key=None,
    ordered=None,
    on_dead=None,
    rate=None,
    rate_per_key=None,
    burst=None,
    keep_finished_s=None,
)


def test_a_queue_without_settings_has_no_limits(queue):
    assert queue.settings() == NOTHING


def test_configuring_returns_every_setting_and_is_seen_by_other_handles(queue, path):
    made = queue.configure(concurrency=3, concurrency_per_key=1, rate=(100, 60), rate_per_key=(5, 0.5), burst=4)
    assert (made.concurrency, made.concurrency_per_key, made.burst) == (3, 1, 4)
    assert (made.rate, made["rate_per_key"]) == ((100, 60), (5, 0.5))
    with honker.open(path) as other:
        assert other.queue("q").settings() == made
        assert other.queue("another").settings() == NOTHING


def test_a_parameter_left_out_keeps_its_setting_and_none_removes_it(queue):
    queue.configure(concurrency=3, ordered=True, on_dead="continue", keep_finished_s=60)
    assert queue.configure(concurrency=None).ordered is True
    assert queue.configure(on_dead=None, keep_finished_s=None, ordered=False) == NOTHING
    assert queue.configure() == NOTHING
    assert repr(UNSET) == "UNSET"


def test_only_unset_does_not_undo_an_operator(queue):
    queue.configure(concurrency=3)
    made = queue.configure(concurrency=9, keep_finished_s=60, only_unset=True)
    assert (made.concurrency, made.keep_finished_s) == (3, 60)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 1001}, "concurrency"),
        ({"concurrency": "3"}, "concurrency"),
        ({"concurrency_per_key": -1}, "concurrency_per_key"),
        ({"on_dead": "stop"}, "on_dead"),
        ({"rate": 100}, "rate"),
        ({"rate": (1, 2, 3)}, "rate"),
        ({"rate": (0, 60)}, "rate"),
        ({"rate": (1, "minute")}, "rate"),
        ({"rate_per_key": (1, 0)}, "rate_per_key"),
        ({"burst": 0}, "burst"),
        ({"keep_finished_s": 0}, "keep_finished_s"),
        ({"keep_finished_s": "1 day"}, "keep_finished_s"),
        ({"concurrency": float("nan")}, "setting"),
        ({"burst": {1, 2}}, "setting"),
    ],
    ids=str,
)
def test_a_setting_outside_its_range_is_refused_by_its_name(queue, settings, name):
    with pytest.raises(honker.InvalidArgumentError, match=name):
        queue.configure(**settings)
    assert queue.settings() == NOTHING


def test_settings_belong_to_the_transaction(db, queue):
    with pytest.raises(ZeroDivisionError), db.transaction() as tx:  # noqa: PT012 - the transaction is rolled back
        queue.configure(concurrency=1, tx=tx)
        assert queue.settings(tx=tx).concurrency == 1
        raise ZeroDivisionError
    assert queue.settings() == NOTHING


def test_a_queue_runs_no_more_jobs_than_its_concurrency(queue):
    queue.configure(concurrency=2)
    queue.enqueue_many(range(5))
    held = queue.claim_batch("w", 5)
    assert len(held) == 2
    assert queue.claim_batch("other", 5) == []
    assert held[0].ack()
    assert len(queue.claim_batch("other", 5)) == 1


def test_a_rate_bounds_the_starts(queue):
    queue.configure(rate=(1, 3600), burst=2)
    queue.enqueue_many(range(5))
    assert len(queue.claim_batch("w", 5)) == 2
    assert queue.claim_batch("w", 5) == []


def test_finished_jobs_are_kept_on_request_and_paged(queue):
    queue.enqueue("before")
    queue.claim_one("w").ack()
    queue.configure(keep_finished_s=3600)
    ids = queue.enqueue_many(["a", "b", "c"], key="k")
    for job in queue.claim_batch("w", 2):
        job.ack()
    queue.cancel(ids[2])
    newest = queue.finished()
    assert [(job.id, job.state, job.key) for job in newest] == [
        (ids[2], "cancelled", "k"),
        (ids[1], "done", "k"),
        (ids[0], "done", "k"),
    ]
    assert newest[1].finished_at < newest[1].expires_at
    assert [job.id for job in queue.finished(limit=1)] == [ids[2]]
    assert [job.id for job in queue.finished(before_id=ids[2], limit=1)] == [ids[1]]
    assert queue.finished(ids[0]) == []


def test_the_twins_do_the_same(queue):
    async def main():
        made = await queue.aconfigure(concurrency=2, keep_finished_s=5)
        assert await queue.asettings() == made
        assert await queue.afinished() == []

    asyncio.run(main())
    assert queue.settings().concurrency == 2
