"""Calls of tasks: their jobs, the options of a task and the fitting arguments."""

import asyncio
import contextlib
import json
import pickle
from datetime import timedelta
from decimal import Decimal

import honker
import pytest

from ..support.parameter_ids import stable
from ..support.workers import run_for


def rolled_back(db, work):
    """The return value of `work` in a transaction that does not commit."""
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        done = work(tx)
        _ = 1 / 0
    return done


def payload(db, job_id):
    return json.loads(db.get_job(job_id)["payload"])


# ---------------------------------------------------------------------------------------------------------------- calls


def test_a_call_enqueues_its_envelope_and_runs_nothing(db, queue):
    @queue.task()
    def add(a, b=0):
        raise AssertionError("ran")

    result = add(1, b=2)
    assert payload(db, result.id) == {
        "__honker_task__": {"task": f"{__name__}.{add.fn.__qualname__}", "args": [1], "kwargs": {"b": 2}}
    }
    assert repr(result) == f"<honker.TaskResult of job {result.id}>"


def test_a_task_is_dressed_as_its_function(queue):
    @queue.task(name="add")
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    assert (add.__doc__, add.__name__, add.name, add.spec.name) == ("Add two numbers.", "add", "add", "add")
    assert add.call_local(1, 2) == add.fn(1, 2) == 3


def test_the_options_of_a_task_are_those_of_its_jobs(db, queue):
    @queue.task(name="t", retries=7, priority=3, expires_s=60)
    def task(): ...

    job = db.get_job(task().id)
    assert (job["priority"], job["max_attempts"]) == (3, 7)
    assert job["expires_at"] is not None


def test_the_retries_of_a_task_are_the_attempts_of_its_queue(db):
    @db.queue("five", max_attempts=5).task(name="t")
    def task(): ...

    assert task.spec.retries == 5
    assert db.get_job(task().id)["max_attempts"] == 5


def test_a_call_can_be_part_of_a_transaction(db, queue):
    @queue.task(name="t")
    def task(n): ...

    lost = rolled_back(db, lambda tx: task.enqueue_with(tx=tx)(1))
    assert db.get_job(lost.id) is None
    with db.transaction() as tx:
        kept = task.enqueue_with(tx=tx)(2)
    assert payload(db, kept.id)["__honker_task__"]["args"] == [2]


def test_a_call_can_be_delayed_and_preferred(db, queue):
    @queue.task(name="t", priority=1)
    def task(): ...

    job = db.get_job(task.enqueue_with(delay=1000, priority=9, expires=5000)().id)
    assert job["run_at"] - job["created_at"] >= 1000
    assert job["priority"] == 9


def test_a_call_does_not_block_the_event_loop(db, queue):
    @queue.task(name="t")
    def task(n): ...

    first = asyncio.run(task.aenqueue(1))
    second = asyncio.run(task.enqueue_with(priority=2).aenqueue(2))
    assert [db.get_job(each.id)["priority"] for each in (first, second)] == [0, 2]


@pytest.mark.parametrize("argument", [object(), {1, 2}, float("nan")])
def test_arguments_without_a_json_form_are_refused_at_the_call(db, queue, argument):
    @queue.task(name="t")
    def task(value): ...

    with pytest.raises(honker.InvalidPayloadError):
        task(argument)
    assert queue.next_claim_at() is None


def test_a_database_makes_tasks_of_its_queues(db):
    @db.task(name="a")
    def plain(): ...

    @db.task("other", name="b", priority=2)
    def other(): ...

    assert (plain.spec.queue_name, other.spec.queue_name, other.spec.priority) == ("default", "other", 2)


# -------------------------------------------------------------------------------------------------------------- options

SPAN_MAX_S = 3_155_760_000

PRIORITY_MAX = 2**53 - 1

NAN = float("nan")


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        *(("name", value, "not empty") for value in ("", 1)),
        *(("retries", value, "1 to 1000000") for value in (0, -1, 1_000_001, 1.5, True, "3")),
        *(("retry_delay_s", value, "0 to 3155760000") for value in (-0.001, SPAN_MAX_S + 1, NAN, True, None, "1")),
        *(("backoff", value, "above 0") for value in (0, -1, NAN, float("inf"), True, None)),
        *(("timeout_s", value, "more than 0") for value in (0, -1, SPAN_MAX_S + 1, NAN, True, timedelta(1))),
        *(("priority", value, "9007199254740991") for value in (PRIORITY_MAX + 1, -PRIORITY_MAX - 1, 0.5, True, None)),
        *(("expires_s", value, "more than 0") for value in (0, -1, SPAN_MAX_S + 1, NAN, True, timedelta(0))),
        *(("result_ttl_s", value, "0 to 3155760000") for value in (-1, SPAN_MAX_S + 1, NAN, True, None)),
        *(("executor", value, "'thread' or 'process'") for value in ("fork", None, ["thread"])),
    ],
    ids=stable,
)
def test_an_option_outside_its_range_is_refused_where_the_task_is_decorated(queue, option, value, says):
    with pytest.raises(honker.InvalidArgumentError) as refusal:
        queue.task(**{option: value})
    assert str(refusal.value).startswith(f"{option} is {value!r}; it must be ")
    assert says in str(refusal.value)
    assert ": " in str(refusal.value).split(says)[-1], "the next step"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("retries", value) for value in (1, 1_000_000)),
        *(("retry_delay_s", value) for value in (0, 0.001, SPAN_MAX_S)),
        *(("backoff", value) for value in (0.5, 1, 1000.0)),
        *(("timeout_s", value) for value in (None, 60.5, SPAN_MAX_S)),
        *(("priority", value) for value in (PRIORITY_MAX, -PRIORITY_MAX)),
        *(("expires_s", value) for value in (None, 0.5, Decimal("0.5"), timedelta(seconds=0.5), SPAN_MAX_S)),
        *(("result_ttl_s", value) for value in (0, 0.5, SPAN_MAX_S)),
    ],
    ids=stable,
)
def test_an_option_at_the_end_of_its_range_is_taken_and_the_engine_takes_it_too(db, queue, option, value):
    task = queue.task(name="t", **{option: value})(lambda: 1)
    assert getattr(task.spec, option) == value
    if option == "expires_s" and value == 0.5:
        assert db.get_job(task().id) is not None
    else:
        assert run_for(db, task()) == 1


@pytest.mark.parametrize("value", [0, 0.5, -1, 60.5, SPAN_MAX_S + 1])
def test_the_expiry_of_a_periodic_task_is_in_whole_seconds(queue, value):
    with pytest.raises(honker.InvalidArgumentError, match="whole number of seconds"):
        queue.periodic_task(honker.every_s(1), expires_s=value)


@pytest.mark.parametrize("name", ["", "ü" * 128])
def test_the_name_of_a_queue_or_schedule_that_the_engine_would_refuse_is_refused_at_once(db, queue, name):
    with pytest.raises(honker.InvalidArgumentError, match=r"queue is .* 1 to 255 UTF-8 bytes"):
        db.queue(name).task()
    with pytest.raises(honker.InvalidArgumentError, match=r"scheduler_name is .* 1 to 255 UTF-8 bytes"):
        queue.periodic_task(honker.every_s(1), scheduler_name=name)
    if name:
        with pytest.raises(honker.InvalidArgumentError, match=r"scheduler_name is .* 1 to 255 UTF-8 bytes"):
            queue.periodic_task(honker.every_s(1), name=name)(lambda: None)
    assert honker.registry().names() == []


@pytest.fixture
def task(queue):
    return queue.task(name="t")(lambda: None)


@pytest.mark.parametrize("call", [lambda send: send(1, tx=None), lambda send: send(delay=5)])
def test_an_option_among_the_arguments_is_sent_to_enqueue_with(queue, call):
    send = queue.task(name="send")(lambda order: None)
    with pytest.raises(honker.InvalidCallError, match=r"it takes \(order\); options .* task\.enqueue_with\(tx=tx\)"):
        call(send)
    with pytest.raises(honker.InvalidCallError, match=r"it takes \(order\)$"):
        send()


def test_a_task_is_pickled_by_the_name_of_its_module_and_function(queue, monkeypatch):
    def sent(order): ...

    sent.__qualname__ = "sent"
    task = queue.task(name="any")(sent)
    monkeypatch.setitem(globals(), "sent", task)
    assert pickle.loads(pickle.dumps(task)) is task
    monkeypatch.setitem(globals(), "sent", sent)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(task)
