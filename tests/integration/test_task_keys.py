"""Keys and unique keys of tasks: of the task or of the call, fixed or from the arguments."""

import asyncio
import json

import honker
import pytest

from ..support.locking import ask
from ..support.workers import run_for, run_until, working
from . import process_handlers


def keys(path):
    return ask(path, "SELECT key, unique_key FROM _honker_live ORDER BY id")


def test_a_key_is_fixed_or_made_from_the_arguments(queue, path):
    fixed = queue.task(name="fixed", key="mail")(lambda to: None)
    made = queue.task(name="made", key=lambda to, urgent=False: f"mail-{to}")(lambda to, urgent=False: None)
    fixed("a")
    made("b")
    made("c", urgent=True)
    made(to="d")
    assert [key for key, _ in keys(path)] == ["mail", "mail-b", "mail-c", "mail-d"]


def test_a_key_of_none_is_none(queue, path):
    task = queue.task(name="t", key=lambda n: None, unique_key=lambda n: None, on_conflict="raise")(lambda n: None)
    assert [task(1).is_duplicate, task(1).is_duplicate] == [False, False]
    assert keys(path) == [(None, None)] * 2


def test_a_call_may_have_another_key(queue, path):
    task = queue.task(name="t", key="mail")(lambda n: None)
    task.enqueue_with(key="post")(1)
    task.enqueue_with(key=lambda n: f"post-{n}")(2)
    task.enqueue_with(priority=1)(3)
    assert [key for key, _ in keys(path)] == ["post", "post-2", "mail"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_second_call_of_a_unique_key_is_the_first_job(queue, path, is_async):
    task = queue.task(name="t", unique_key=lambda user: f"welcome-{user}")(lambda user: user)

    def call(user):
        return asyncio.run(task.aenqueue(user)) if is_async else task(user)

    first, second, other = call(7), call(7), call(8)
    assert (first.id, first.is_duplicate) == (second.id, False)
    assert second.is_duplicate
    assert not other.is_duplicate
    assert [unique for _, unique in keys(path)] == ["welcome-7", "welcome-8"]


def test_a_duplicate_gets_the_result_of_the_first_call(db, queue):
    task = queue.task(name="t", unique_key="once")(lambda n: n)
    task(1)
    assert run_for(db, task(2)) == 1


def test_a_unique_key_that_is_taken_may_be_refused(queue):
    task = queue.task(name="t", unique_key="once", on_conflict="raise")(lambda: None)
    task()
    with pytest.raises(honker.HonkerError, match="once") as caught:
        task()
    assert type(caught.value).__name__ == "UniqueKeyTakenError"
    assert task.enqueue_with(on_conflict="existing")().is_duplicate


def test_the_latest_arguments_replace_those_of_a_waiting_job(db, queue):
    task = queue.task(name="t", unique_key="once")(lambda n: n)
    task(1)
    assert run_for(db, task.enqueue_with(on_conflict="replace")(2)) == 2


def test_a_debounced_task_runs_once_with_the_latest_arguments(db, queue):
    seen = []
    task = queue.task(name="t", unique_key="once", debounce_s=0.2)(seen.append)
    results = [task(n) for n in range(5)]
    assert len({result.id for result in results}) == 1
    run_until(db, lambda: seen)
    assert seen == [4]


def test_a_duplicate_in_a_transaction_that_rolls_back_stays(db, queue):
    """The job was there before: the end of this transaction says nothing about it."""
    task = queue.task(name="t", unique_key="once")(lambda: "done")
    first = task()
    tx = db.transaction()
    tx.__enter__()
    second = task.enqueue_with(tx=tx)()
    tx.__exit__(ZeroDivisionError, None, None)
    assert (second.id, second.is_duplicate) == (first.id, True)
    assert run_for(db, second) == "done"


def test_the_limit_of_a_key_holds_for_tasks(db, queue):
    queue.configure(concurrency_per_key=1)
    running, most = [], []

    @queue.task(name="t", key=lambda customer: customer)
    async def work(customer):
        running.append(customer)
        most.append(running.count(customer))
        await asyncio.sleep(0.002)
        running.remove(customer)

    async def main():
        async with working(db, concurrency=8):
            await asyncio.gather(*(work(customer).aget(20) for customer in "aabbab"))

    asyncio.run(main())
    assert max(most) == 1


def test_a_call_waits_for_other_calls(db, queue):
    order = []
    one = queue.task(name="one")(lambda: order.append("one"))
    two = queue.task(name="two")(lambda: order.append("two"))
    parent = one.enqueue_with(delay=0.1)()
    child = two.enqueue_with(after=[parent])()
    assert run_for(db, child) is None
    assert order == ["one", "two"]


@pytest.mark.parametrize("executor", ["thread", "process"])
def test_a_result_is_sent_along_for_jobs_that_wait_for_it(db, queue, executor):
    """Even if the task keeps none for its callers."""
    parents = []
    one = queue.task(name="one", store_result=False, executor=executor)(process_handlers.add)

    @queue.task(name="two")
    def two(job: honker.Job):
        parents.extend(json.loads(db.engine.ask("SELECT honker_job_parents(?)", job.id)))

    parent = one(1, 2)
    run_for(db, two.enqueue_with(after=[parent.id])())
    assert [(each["state"], each["result"]) for each in parents] == [("done", "3")]


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "options",
    [
        {"key": 5},
        {"key": ""},
        {"key": "k" * 256},
        {"unique_key": b"k"},
        {"on_conflict": "ignore", "unique_key": "k"},
        {"unique_until": "never", "unique_key": "k"},
        {"unique_for_s": -1, "unique_key": "k"},
        {"debounce_s": "1", "unique_key": "k"},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_at_the_decorator_and_at_the_call(queue, options):
    argument = next(iter(options))
    with pytest.raises(honker.InvalidArgumentError, match=f"^{argument} is"):
        queue.task(name="t", **options)
    task = queue.task(name="t")(lambda: None)
    with pytest.raises(honker.InvalidArgumentError, match=f"^{argument} is"):
        task.enqueue_with(**options)


@pytest.mark.parametrize("option", ["on_conflict", "unique_until", "unique_for_s", "debounce_s", "debounce_max_s"])
def test_an_option_of_unique_keys_needs_one(queue, option):
    value = {"on_conflict": "raise", "unique_until": "started"}.get(option, 5)
    with pytest.raises(honker.InvalidArgumentError, match=f"^{option} is .*unique_key"):
        queue.task(name="t", **{option: value})
    with pytest.raises(honker.InvalidArgumentError, match=f"^{option} is .*unique_key"):
        queue.task(name="t")(lambda: None).enqueue_with(**{option: value})


PARTNERS = [
    ({"debounce_max_s": 5}, "debounce_max_s is 5, .* pass debounce_s= as well"),
    ({"debounce_s": 5, "on_conflict": "raise"}, "on_conflict is 'raise', .* leave on_conflict out"),
    ({"debounce_s": 5, "unique_for_s": 9}, "unique_for_s is 9, and debounce_s is 5; pass one of them"),
    ({"unique_until": "started", "unique_for_s": 9}, "unique_for_s is 9, and unique_until is 'started'"),
]


@pytest.mark.parametrize(("options", "message"), PARTNERS)
def test_options_that_lack_a_partner_or_contradict_each_other_are_refused_at_the_decorator(queue, options, message):
    with pytest.raises(honker.InvalidArgumentError, match=f"^{message}"):
        queue.task(unique_key="k", **options)
    task = queue.task(name="t", unique_key="k")(lambda: None)
    with pytest.raises(honker.InvalidArgumentError, match=f"^{message}"):
        task.enqueue_with(**options)
    with pytest.raises(honker.InvalidArgumentError, match=f"^{message}"):
        honker.group(task.s().options(**options)).enqueue()


@pytest.mark.parametrize("options", [options for options, _ in PARTNERS], ids=str)
def test_the_engine_refuses_them_too(queue, options):
    with pytest.raises(honker.InvalidArgumentError):
        queue.enqueue("x", unique_key="k", **options)


@pytest.mark.parametrize("options", [{"debounce_s": 5, "on_conflict": "replace"}, {"unique_until": "finished"}])
def test_options_that_say_the_same_go_together(queue, options):
    more = {} if "debounce_s" in options else {"unique_for_s": 9}
    assert queue.task(name="t", unique_key="k", **options, **more)(lambda: None)().is_duplicate is False


def test_the_treatment_of_a_failed_parent_needs_a_parent(queue):
    for after in (None, []):
        with pytest.raises(honker.InvalidArgumentError, match=r"^on_parent_failure is given without after"):
            queue.enqueue("x", after=after, on_parent_failure="run")


@pytest.mark.parametrize("decorate", ["task", "periodic_task"])
def test_a_lifetime_of_results_needs_results(queue, decorate):
    arguments = [honker.every_s(60)] if decorate == "periodic_task" else []
    with pytest.raises(honker.InvalidArgumentError, match=r"^result_ttl_s is 60, .* pass store_result=True as well"):
        getattr(queue, decorate)(*arguments, store_result=False, result_ttl_s=60)
    made = getattr(queue, decorate)(*arguments, name="t", store_result=True, result_ttl_s=60)(lambda: None)
    assert made.spec.result_ttl_s == 60


def test_a_key_of_a_queue_without_limits_counts_from_the_first_limit_on(queue):
    queue.enqueue_many([1, 2], key="a")
    queue.configure(concurrency_per_key=1)
    assert [job.payload for job in queue.claim_batch("w", 10)] == [1]


@pytest.mark.parametrize("made", [5, "", "k" * 256, b"k"], ids=repr)
def test_a_function_that_makes_no_key_is_refused_at_the_call(queue, path, made):
    task = queue.task(name="t", unique_key=lambda: made)(lambda: None)
    with pytest.raises(honker.InvalidArgumentError, match="unique_key= of the task returned"):
        task()
    assert keys(path) == []
