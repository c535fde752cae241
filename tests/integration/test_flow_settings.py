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


SOME_SETTINGS = {
    "concurrency": 3,
    "concurrency_per_key": 2,
    "on_dead": "continue",
    "rate": (100, 60),
    "rate_per_key": (5, 1),
    "burst": 4,
    "keep_finished_s": 60,
}


def test_only_unset_does_not_bring_back_settings_that_an_operator_removed(queue, path):
    queue.configure(**SOME_SETTINGS, only_unset=True)
    with honker.open(path) as operator:
        operator.queue("q").configure(**dict.fromkeys(SOME_SETTINGS))
    assert queue.configure(**SOME_SETTINGS, only_unset=True) == NOTHING
    assert queue.configure(concurrency=5).concurrency == 5


@pytest.mark.parametrize("setting", list(SOME_SETTINGS))
def test_only_unset_does_not_bring_back_one_removed_setting(queue, setting):
    removed = {"rate", "rate_per_key", "burst"} if setting == "burst" else {setting}
    queue.configure(**SOME_SETTINGS)
    left = queue.configure(**dict.fromkeys(removed))
    assert queue.configure(**SOME_SETTINGS, only_unset=True) == left


def test_only_unset_does_not_order_a_queue_that_an_operator_has_unordered(queue):
    queue.configure(ordered=True, only_unset=True)
    queue.configure(ordered=False)
    assert queue.configure(ordered=True, only_unset=True) == NOTHING
    assert queue.configure(ordered=True).ordered is True


def test_only_unset_keeps_a_burst_of_one_that_an_operator_chose(queue):
    queue.configure(rate=(10, 60), burst=1)
    assert queue.configure(burst=5, only_unset=True).burst == 1
    queue.configure(burst=5)
    queue.configure(burst=None)
    assert queue.configure(burst=5, only_unset=True).burst == 1


def test_none_with_only_unset_removes_nothing_and_decides_nothing(queue):
    queue.configure(concurrency=3)
    queue.configure(concurrency=None, keep_finished_s=None, ordered=None, only_unset=True)
    made = queue.configure(concurrency=9, keep_finished_s=60, ordered=True, only_unset=True)
    assert (made.concurrency, made.keep_finished_s, made.ordered) == (3, 60, True)


@pytest.mark.parametrize(
    ("by_operator", "by_code"),
    [({"ordered": True}, {"concurrency_per_key": 5}), ({"concurrency_per_key": 5}, {"ordered": True})],
)
def test_only_unset_leaves_out_what_the_choice_of_an_operator_excludes(queue, by_operator, by_code):
    chosen = queue.configure(**by_operator)
    assert queue.configure(**by_code, only_unset=True) == chosen


def test_a_removed_limit_holds_no_job_back(queue):
    queue.configure(concurrency=1, concurrency_per_key=1, rate=(1, 3600), rate_per_key=(1, 3600), keep_finished_s=60)
    queue.configure(concurrency=None, concurrency_per_key=None, rate=None, rate_per_key=None, keep_finished_s=None)
    queue.enqueue_many(range(5), key="a")
    jobs = queue.claim_batch("w", 10)
    assert len(jobs) == 5
    assert all(job.ack() for job in jobs)
    assert queue.finished() == []


def test_a_burst_without_a_rate_is_refused_with_the_next_step(queue):
    with pytest.raises(
        honker.InvalidArgumentError, match=r"^burst is 5, .* no rate; give rate or rate_per_key as well"
    ):
        queue.configure(burst=5)
    queue.configure(rate_per_key=(10, 60))
    with pytest.raises(honker.InvalidArgumentError, match="burst is 5"):
        queue.configure(burst=5, rate_per_key=None)
    assert queue.configure(burst=5).burst == 5


def test_the_effect_of_dead_letters_is_kept_for_an_order_that_comes_later(queue):
    assert queue.configure(on_dead="continue").on_dead == "continue"
    assert queue.configure(ordered=True).on_dead == "continue"
    ids = queue.enqueue_many(["a", "b"], key="k")
    queue.claim_one("w").fail("broken")
    assert queue.claim_one("w").id == ids[1]


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
