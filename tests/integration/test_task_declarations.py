"""Decorating: functions that can be tasks, and calls that fit them."""

import asyncio
import functools
from datetime import timedelta

import honker
import pytest
from honker.task.message import Invocation, read_envelope

from ..support.parameter_ids import stable
from ..support.workers import run_for


def plain(x, y=2, *, z=3): ...


class Service:
    def method(self, x): ...

    @classmethod
    def of_class(cls, x): ...


@pytest.mark.parametrize(
    ("fn", "says"),
    [
        (42, "not callable"),
        (None, "not callable"),
        (functools.partialmethod(plain), "not callable"),
        (classmethod(plain), "@staticmethod"),
        (property(plain), "a property"),
        (functools.cached_property(plain), "a property"),
        (Service, "the class 'Service'"),
        (functools.partial(Service), "the class 'Service'"),
        (Service.method, "@staticmethod"),
        (functools.wraps(Service.method)(lambda *args: None), "@staticmethod"),
    ],
    ids=stable,
)
def test_what_no_worker_could_call_is_refused_where_it_is_decorated(queue, fn, says):
    with pytest.raises(honker.InvalidTaskError, match=says):
        queue.task(name="t")(fn)
    with pytest.raises(honker.InvalidTaskError, match=says):
        queue.periodic_task(honker.every_s(1), name="t")(fn)
    assert honker.registry().names() == []


def test_a_task_is_not_made_a_task_again(queue):
    task = queue.task(name="t")(plain)
    for again in (task, functools.partial(task, 1)):
        with pytest.raises(honker.InvalidTaskError, match=r"is a task already.*task\.fn"):
            queue.task(name="u")(again)


def test_bound_methods_static_methods_and_callable_objects_are_tasks(queue):
    for n, fn in enumerate([Service().method, Service.of_class, staticmethod(plain), functools.partial(plain, 1)]):
        assert queue.task(name=f"t{n}")(fn).fn is fn


def test_a_decorator_works_without_parentheses(db, queue):
    @queue.task
    def double(n):
        return 2 * n

    @db.task
    async def triple(n):
        return 3 * n

    assert (double.spec.queue_name, triple.spec.queue_name) == ("q", "default")
    assert run_for(db, double(4)) == 8
    assert run_for(db, triple(4)) == 12


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), ((1, 2, 3), {}), ((1,), {"w": 1}), ((1,), {"x": 1}), ((), {"y": 1}), ((1, 2), {"y": 2})],
    ids=stable,
)
def test_a_call_that_does_not_fit_the_function_is_refused_and_enqueues_nothing(queue, args, kwargs):
    task = queue.task(name="t")(plain)
    for call in (task, task.enqueue_with(delay=1), lambda *a, **k: asyncio.run(task.aenqueue(*a, **k))):
        with pytest.raises(honker.InvalidCallError, match=r"call of task 't': .*; it takes \(x, y=2, \*, z=3\)"):
            call(*args, **kwargs)
    assert queue.next_claim_at() is None


@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((1, 2), {}), ((), {"x": 1}), ((1,), {"z": 1})], ids=str)
def test_a_call_that_fits_the_function_is_enqueued(db, queue, args, kwargs):
    assert db.get_job(queue.task(name="t")(plain)(*args, **kwargs).id) is not None


def test_parameters_that_the_worker_fills_are_not_passed(queue):
    @queue.task(name="t")
    def task(job: honker.Job, x, *, tx: honker.Transaction): ...

    task(1)
    task(x=1)
    for kwargs in ({"job": 1, "x": 1}, {"x": 1, "tx": 1}):
        with pytest.raises(honker.InvalidCallError, match=r"it takes \(x\)"):
            task(**kwargs)


def test_a_wrapper_decides_itself_which_arguments_it_takes(db, queue):
    def with_session(fn):
        @functools.wraps(fn)
        def wrapper(*args, **kwargs):
            return fn("session", *args, **kwargs)

        return wrapper

    @queue.task(name="t")
    @with_session
    def task(session, x):
        return [session, x]

    assert run_for(db, task(1)) == ["session", 1]


def test_a_periodic_task_must_be_callable_without_arguments(queue):
    with pytest.raises(honker.InvalidTaskError, match="requires 'x'"):
        queue.periodic_task(honker.every_s(1), name="t")(plain)

    @queue.periodic_task(honker.every_s(1), name="u")
    def task(job: honker.Job, x=1, *rest, y=2, **more): ...

    assert honker.registry().names() == ["u"]


@pytest.mark.parametrize(
    ("schedule", "spelling"),
    [
        ("0 3 * * *", r"honker\.crontab\('0 3 \* \* \*'\)"),
        (timedelta(minutes=5), r"honker\.every_s\(300\)"),
        (60, r"honker\.every_s\(60\)"),
        (None, r"honker\.crontab\(.*honker\.every_s"),
        (plain, r"honker\.crontab\(.*honker\.every_s"),
    ],
    ids=stable,
)
def test_what_is_no_schedule_is_refused_with_the_right_spelling(db, queue, schedule, spelling):
    scheduler = honker.Scheduler(db)
    for refuses in (
        lambda: queue.periodic_task(schedule),
        lambda: scheduler.add(name="s", queue="q", schedule=schedule),
        lambda: asyncio.run(scheduler.aadd(name="s", queue="q", schedule=schedule)),
    ):
        with pytest.raises(honker.InvalidArgumentError, match=spelling):
            refuses()


def test_max_attempts_is_the_clear_name_of_retries(db, queue):
    for n, options in enumerate([{"max_attempts": 7}, {"retries": 7}, {"max_attempts": 7.0}]):
        task = queue.task(name=f"t{n}", **options)(lambda: None)
        assert (task.spec.retries, task.spec.max_attempts) == (7, 7)
        assert db.get_job(task().id)["max_attempts"] == 7
    with pytest.raises(honker.InvalidArgumentError, match="both are the number of attempts"):
        queue.task(max_attempts=1, retries=1)
    for wrong in (0, 1.5, True, "3", 1_000_001):
        with pytest.raises(honker.InvalidArgumentError, match=r"max_attempts is .*1 to 1000000"):
            queue.task(max_attempts=wrong)


def test_a_partial_and_an_object_can_be_tasks(queue):
    class Callable:
        def __call__(self): ...

    assert "test_a_partial" in queue.task()(functools.partial(lambda a: a, 1)).name
    assert queue.task()(Callable()).name.endswith("Callable")


@pytest.mark.parametrize(
    "raw",
    [
        None,
        1,
        [],
        {},
        {"__honker_task__": None},
        {"__honker_task__": {"args": []}},
        {"__honker_task__": {"task": 1}},
        {"__honker_task__": {"task": "t", "args": {}}},
        {"__honker_task__": {"task": "t", "kwargs": []}},
        {"__honker_task__": {"task": "t"}, "more": 1},
    ],
    ids=stable,
)
def test_what_is_no_envelope_is_no_call(raw):
    assert read_envelope(raw) is None


def test_an_envelope_may_leave_arguments_out():
    assert read_envelope({"__honker_task__": {"task": "t"}}) == Invocation("t", [], {})


def test_parameters_for_the_worker_are_found_by_their_annotation(queue):
    @queue.task(name="t")
    def task(job: honker.Job, tx: honker.Transaction, a: int, *, other: honker.Job | None = None): ...

    @queue.task(name="u")
    def written(a, job: "honker.Job", missing: "Nowhere" = None): ...  # noqa: F821

    assert task.spec.injections == {
        "job": (0, honker.Job),
        "tx": (1, honker.Transaction),
        "other": (None, honker.Job),
    }
    assert written.spec.injections == {"job": (1, honker.Job)}


@pytest.fixture
def task(queue):
    return queue.task(name="t")(lambda: None)
