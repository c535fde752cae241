"""Tasks: the job of a call, the registry, and the result for the caller."""

import asyncio
import contextlib
import functools
import importlib
import json
import threading
from datetime import timedelta
from decimal import Decimal

import honker
import pytest
from honker.task.message import envelope, read_envelope
from honker.task.registry import TaskRegistry

from ..support.parameter_ids import stable
from ..support.waiting import wait_until
from ..support.workers import run_for, run_until, working


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


# ------------------------------------------------------------------------------------------------------------- registry


def test_the_registry_knows_names_and_queues(db):
    db.task("x", name="b")(lambda: None)
    db.task("y", name="a")(lambda: None)
    tasks = honker.registry()
    assert (tasks.names(), tasks.queues()) == (["a", "b"], {"x", "y"})
    assert tasks.get("a").queue_name == "y"


def test_one_name_is_one_function(queue):
    def first(): ...

    queue.task(name="t")(first)
    queue.task(name="t", priority=1)(first)
    assert honker.registry().get("t").priority == 1
    with pytest.raises(honker.TaskConflictError, match="duplicate task name"):
        queue.task(name="t")(lambda: None)


def other_database(tmp_path):
    return honker.open(tmp_path / "other.db")


def test_a_function_may_be_a_task_of_two_queues_and_both_are_served(db):
    def double(n):
        return 2 * n

    one, two = db.task("one")(double), db.task("two")(double)
    assert honker.registry().queues() == {"one", "two"}
    calls = [one(1), two(2)]

    async def main():
        async with working(db):
            return [await each.aget(10) for each in calls]

    assert asyncio.run(main()) == [2, 4]


def test_a_task_of_two_queues_has_the_options_of_the_queue_that_its_job_came_from(db):
    def broken():
        raise ZeroDivisionError

    db.task("patient", name="t", retries=1_000, retry_delay_s=1_000)(broken)
    db.task("hasty", name="t", retries=1)(broken)
    waiting = db.queue("patient").enqueue(envelope("t"), max_attempts=1_000)
    dying = db.queue("hasty").enqueue(envelope("t"), max_attempts=1_000)
    run_until(db, lambda: db.get_job(dying) is None and db.get_job(waiting)["attempts"] == 1)
    assert db.get_job(waiting)["state"] == "pending"


def test_databases_may_have_different_tasks_of_one_name(db, tmp_path):
    def define(database, answer):
        @database.task(name="t")
        def task():
            return answer

        return task

    with other_database(tmp_path) as other:
        ours, theirs = define(db, "ours"), define(other, "theirs")
        assert run_for(db, ours()) == "ours"
        assert run_for(other, theirs()) == "theirs"


def test_a_worker_serves_only_queues_and_tasks_of_its_database(db, tmp_path):
    ran = []
    with other_database(tmp_path) as other:
        other.task("theirs", name="their task")(lambda: ran.append("their task"))
        ours = db.task("ours", name="our task")(lambda: ran.append("our task"))
        strays = [db.queue(name).enqueue(envelope("their task")) for name in ("theirs", "ours")]
        run_for(db, ours())
        run_until(db, lambda: db.get_job(strays[1])["unknown_since"])
        assert ran == ["our task"]
        assert [db.get_job(each)["attempts"] for each in strays] == [0, 0]


def test_workers_of_a_database_without_tasks_say_whose_tasks_there_are(db, tmp_path):
    db.task()(lambda: None)
    with other_database(tmp_path) as other, pytest.raises(honker.NoTasksError, match=r"other\.db.*belong to .*app\.db"):
        asyncio.run(other.run_workers())


def test_a_task_registered_without_a_database_belongs_to_every_one(db, tmp_path):
    honker.registry().register(honker.TaskSpec("t", lambda: "ran", "q"))
    with other_database(tmp_path) as other:
        for each in (db, other):
            assert run_for(each, honker.TaskResult(each.engine, each.queue("q").enqueue(envelope("t")))) == "ran"
        with pytest.raises(honker.TaskConflictError):
            other.task(name="t")(lambda: None)


def test_a_local_task_may_be_defined_again_after_its_handle_is_closed(path):
    for answer in (1, 2):
        with honker.open(path) as db:
            task = db.task(name="t")(lambda answer=answer: answer)
            assert run_for(db, task()) == answer


def test_tasks_can_be_forgotten(db):
    db.task(name="t")(lambda: None)
    honker.registry().clear()
    assert honker.registry().names() == []
    db.task(name="t")(lambda: None)


RELOADED = """
import honker
def decorate(name):
    return lambda fn: honker.registry().register(honker.TaskSpec(name, fn, "q"))
@decorate("t")
def task(): return {answer}
"""


def test_a_module_that_is_reloaded_replaces_its_tasks(tmp_path, monkeypatch):
    file = tmp_path / "reloaded_tasks.py"
    file.write_text(RELOADED.format(answer=1))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    module = importlib.import_module("reloaded_tasks")
    assert honker.registry().get("t").fn() == 1
    file.write_text(RELOADED.format(answer=22))
    importlib.reload(module)
    assert honker.registry().get("t").fn() == 22
    with pytest.raises(honker.TaskConflictError):
        exec("@decorate('t')\ndef other(): ...", vars(module))


def test_an_unknown_name_is_an_error_that_names_the_known():
    with pytest.raises(honker.UnknownTaskError, match=r"unknown task: 'x'. Registered tasks: \[\]"):
        TaskRegistry().get("x")


# ---------------------------------------------------------------------------------------------------- wrong decorations


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
    assert read_envelope({"__honker_task__": {"task": "t"}}) == ("t", [], {})


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


# ------------------------------------------------------------------------------------------------------- periodic tasks


def test_a_periodic_task_writes_nothing_before_it_is_registered(db, queue):
    @queue.periodic_task(honker.every_s(3600), name="beat", scheduler_name="hourly", priority=2, expires_s=60)
    def beat(): ...

    assert honker.Scheduler(db).list() == []
    assert beat.spec.retries == 3
    assert beat.spec.store_result is False
    assert honker.register_schedules(db, {"another"}) == []
    assert honker.register_schedules(db) == ["hourly"]
    (row,) = honker.Scheduler(db).list()
    assert json.loads(row["payload"]) == {"__honker_task__": {"task": "beat", "args": [], "kwargs": {}}}
    assert (row["name"], row["queue"], row["priority"], row["expires_s"], row["max_attempts"]) == (
        *("hourly", "q", 2, 60, 3),
    )  # fmt: skip


def test_a_scheduler_registers_the_schedules_of_its_database(db, queue, tmp_path):
    async def run(database):
        stop = asyncio.Event()
        stop.set()
        await honker.Scheduler(database).run(stop)

    db.periodic_task(honker.crontab("0 3 * * *", "UTC"), queue="q", name="nightly")(lambda: None)
    with honker.open(tmp_path / "other.db") as other, pytest.raises(RuntimeError, match="no registered tasks"):
        asyncio.run(run(other))
    asyncio.run(run(db))
    assert [row["name"] for row in honker.Scheduler(db).list()] == ["nightly"]


def schedules(db):
    return {row["name"]: row for row in honker.Scheduler(db).list()}


def test_a_periodic_task_has_the_options_of_a_task_and_the_attempts_of_its_queue(db):
    retry = {"retry_delay_s": 5, "backoff": 2, "max_retry_delay_s": 60, "jitter": 0, "timeout_s": 30}
    once = db.queue("once", max_attempts=1)
    once.periodic_task(honker.every_s(60), name="a")(lambda: None)
    task = once.periodic_task(honker.every_s(60), name="b", max_attempts=7, misfire="skip", **retry)(lambda: None)
    assert {name: getattr(task.spec, name) for name in retry} == retry
    honker.register_schedules(db)
    rows = schedules(db)
    assert [(rows[n]["max_attempts"], rows[n]["misfire"]) for n in "ab"] == [(1, "catch_up"), (7, "skip")]
    with pytest.raises(honker.InvalidArgumentError, match="misfire is 'never'"):
        once.periodic_task(honker.every_s(60), misfire="never")


def declare(queue, name="nightly", schedule="0 3 * * *", **options):
    queue.periodic_task(honker.crontab(schedule, "UTC"), name=name, **options)(lambda: None)


def forget():
    """Begin as a new process does, without tasks."""
    honker.registry().clear()


@pytest.mark.parametrize(
    "change",
    [
        {"misfire": "once"},
        {"priority": 7},
        {"expires": 60},
        {"max_attempts": 9},
        {"schedule": honker.crontab("0 5 * * *")},
        {"payload": "mine"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_start_does_not_undo_the_changes_of_an_operator(db, queue, change):
    declare(queue)
    honker.register_schedules(db)
    honker.Scheduler(db).update("nightly", **change)
    changed = schedules(db)
    forget()
    declare(queue)
    assert honker.register_schedules(db) == ["nightly"]
    asyncio.run(register_in_a_worker(db))
    assert schedules(db) == changed


async def register_in_a_worker(db):
    async with working(db):
        await asyncio.sleep(0)


def test_a_changed_declaration_replaces_the_schedule_and_keeps_it_paused(db, queue):
    declare(queue)
    honker.register_schedules(db)
    honker.Scheduler(db).update("nightly", priority=7)
    honker.Scheduler(db).pause("nightly")
    for options, seen in ({"schedule": "0 4 * * *"}, 0), ({"schedule": "0 4 * * *", "priority": 3}, 3):
        forget()
        declare(queue, **options)
        honker.register_schedules(db)
        row = schedules(db)["nightly"]
        assert (row["cron_expr"], row["priority"], row["enabled"]) == ("0 4 * * *", seen, False)


def test_a_removed_schedule_is_written_again(db, queue):
    declare(queue)
    honker.register_schedules(db)
    honker.Scheduler(db).remove("nightly")
    honker.register_schedules(db)
    assert list(schedules(db)) == ["nightly"]


def test_a_start_with_nothing_new_writes_nothing(db, queue):
    declare(queue)
    honker.register_schedules(db)
    with db.transaction() as tx:
        tx.execute("CREATE TABLE held (x)")
        assert honker.register_schedules(db) == ["nightly"]


def test_schedules_of_tasks_that_are_gone_are_reported_and_removed_on_request(db, queue, caplog):
    declare(queue, "old")
    declare(db.queue("elsewhere"), "other")
    honker.register_schedules(db)
    honker.Scheduler(db).add(name="by hand", queue="q", schedule=honker.every_s(60), payload=envelope("gone"))
    honker.Scheduler(db).add(name="raw", queue="q", schedule=honker.every_s(60), payload={"n": 1})
    forget()
    declare(queue, "new")
    honker.register_schedules(db)
    reported = {each.args[0] for each in caplog.records}
    assert reported == {"old", "by hand"}
    assert len(schedules(db)) == 5
    honker.register_schedules(db, prune=True)
    assert set(schedules(db)) == {"new", "other", "by hand", "raw"}


# -------------------------------------------------------------------------------------------------------------- results


@pytest.fixture
def task(queue):
    return queue.task(name="t")(lambda: None)


def wait_in_both_ways(result, timeout=None):
    """The outcomes of `get` and `aget`, each a value or an error."""

    def said(get):
        try:
            return get()
        except Exception as error:
            return error

    return said(lambda: result.get(timeout)), said(lambda: asyncio.run(result.aget(timeout)))


def test_a_result_that_is_there_is_returned_at_once(queue, task):
    result = task()
    queue.save_result(result.id, {"a": [1]})
    assert wait_in_both_ways(result) == ({"a": [1]}, {"a": [1]})


def test_a_result_is_waited_for(queue, task):
    result = task()
    thread = threading.Thread(target=lambda: queue.save_result(result.id, 42))
    thread.start()
    assert result.get(10) == 42
    thread.join()


def test_a_result_can_be_got_where_an_event_loop_runs(queue, task):
    async def main():
        result = task()
        queue.save_result(result.id, 1)
        return result.get(10)

    assert asyncio.run(main()) == 1


def test_a_result_that_does_not_come_times_out(task):
    for error in wait_in_both_ways(task(), 0.02):
        assert type(error) is TimeoutError


def test_a_dead_job_is_an_error_with_its_cause(queue, task):
    result = task()
    queue.claim_one("w").fail("broken")
    for error in wait_in_both_ways(result):
        assert type(error) is honker.JobFailedError
        assert (error.job_id, error.error) == (result.id, "broken")
    with pytest.raises(honker.JobFailedError, match="broken"):
        asyncio.run(queue.wait_result(result.id))


def test_a_cancelled_job_is_an_error(db, task):
    result = task()
    db.cancel(result.id)
    for error in wait_in_both_ways(result):
        assert type(error) is honker.JobCancelledError
        assert error.job_id == result.id


def test_a_waiter_hears_of_a_cancelling(db, task):
    result, seen = task(), []
    thread = threading.Thread(target=lambda: seen.append(wait_in_both_ways(result)[0]))
    thread.start()
    db.cancel(result.id)
    wait_until(lambda: seen)
    thread.join()
    assert type(seen[0]) is honker.JobCancelledError


def test_a_job_that_ended_without_a_result_is_a_timeout_at_once(queue, task):
    result = task()
    queue.claim_one("w").ack()
    for error in wait_in_both_ways(result, 1000):
        assert type(error) is honker.ResultGoneError
        assert isinstance(error, TimeoutError)


def test_a_job_that_is_not_committed_yet_is_waited_for(db, queue, task):
    with db.transaction() as tx:
        result = task.enqueue_with(tx=tx)()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(wait_in_both_ways(result, 0.02)))
        thread.start()
        thread.join()
    assert [type(error) for error in seen[0]] == [TimeoutError, TimeoutError]
    queue.save_result(result.id, 1)
    assert result.get() == 1


# ------------------------------------------------------------------------------------- results that will never be there


@pytest.fixture
def foreign(path):
    """A transaction of the application's own driver."""
    with contextlib.closing(honker.connect(path, isolation_level=None)) as conn:
        conn.execute("BEGIN IMMEDIATE")
        yield conn


@pytest.mark.parametrize("timeout", [None, 1000])
def test_the_result_of_a_call_that_was_rolled_back_is_gone_at_once(db, task, timeout):
    lost = rolled_back(db, lambda tx: task.enqueue_with(tx=tx)())
    task()  # gets the id that was rolled back
    for error in wait_in_both_ways(lost, timeout):
        assert type(error) is honker.ResultGoneError
        assert "rolled back" in str(error)


def test_a_waiter_is_told_of_a_rollback(db, task):
    seen = []
    with contextlib.suppress(ZeroDivisionError), db.transaction() as tx:
        lost = task.enqueue_with(tx=tx)()
        thread = threading.Thread(target=lambda: seen.append(wait_in_both_ways(lost)))
        thread.start()
        _ = 1 / 0
    thread.join(10)
    assert [type(error) for error in seen[0]] == [honker.ResultGoneError] * 2


def test_the_result_of_a_call_in_a_foreign_transaction_that_was_rolled_back_is_gone(task, foreign):
    lost = task.enqueue_with(tx=foreign)()
    foreign.execute("ROLLBACK")
    for error in wait_in_both_ways(lost, 1000):
        assert type(error) is honker.ResultGoneError


@pytest.mark.parametrize("is_foreign", [False, True])
def test_a_job_of_a_committed_transaction_that_ended_without_a_result_is_gone(db, queue, task, request, is_foreign):
    if is_foreign:
        conn = request.getfixturevalue("foreign")
        result = task.enqueue_with(tx=conn)()
        conn.execute("COMMIT")
    else:
        with db.transaction() as tx:
            result = task.enqueue_with(tx=tx)()
    queue.claim_one("w").ack()
    for error in wait_in_both_ways(result, 1000):
        assert type(error) is honker.ResultGoneError


def test_waiting_for_a_job_that_is_gone_or_goes_says_so(queue, task):
    gone, going = task().id, task().id
    queue.claim_one("w").ack()

    async def main():
        with pytest.raises(honker.ResultGoneError):
            await queue.wait_result(gone)
        waiting = asyncio.ensure_future(queue.wait_result(going))
        await asyncio.sleep(0)
        queue.claim_one("w").ack()
        with pytest.raises(honker.ResultGoneError):
            await asyncio.wait_for(waiting, 10)

    asyncio.run(main())


def test_waiting_within_the_transaction_that_enqueued_the_job_is_refused(db, task):
    with db.transaction() as tx, pytest.raises(honker.DeadlockError, match="not committed yet"):
        task.enqueue_with(tx=tx)().get()

    async def main():
        async with db.transaction() as tx:
            with pytest.raises(honker.DeadlockError, match="not committed yet"):
                await task.enqueue_with(tx=tx)().aget()

    asyncio.run(main())


def test_another_task_may_wait_for_the_transaction_that_enqueued_the_job(db, queue, task):
    async def main():
        async with db.transaction() as tx:
            result = task.enqueue_with(tx=tx)()
            waiting = asyncio.ensure_future(result.aget(10))
            await asyncio.sleep(0)
        queue.save_result(result.id, "done")
        return await waiting

    assert asyncio.run(main()) == "done"


def test_a_handler_must_not_block_the_event_loop_of_its_worker(db, queue):
    child = queue.task(name="child")(lambda: "child")

    @queue.task(name="parent", retries=1)
    async def parent():
        child().get(timeout=30)

    with pytest.raises(honker.JobFailedError, match=r"DeadlockError.*aget"):
        run_for(db, parent())


def test_a_handler_that_waits_with_no_slot_left_is_warned(db, queue, caplog):
    child = queue.task(name="child")(lambda: "child")

    @queue.task(name="parent", retries=1)
    def parent():
        return child().get(0.5)

    with pytest.raises(honker.JobFailedError, match="TimeoutError"):
        run_for(db, parent(), concurrency=1)
    assert [each.getMessage() for each in caplog.records if "every slot" in each.getMessage()]
    caplog.clear()
    assert run_for(db, parent(), concurrency=2) == "child"
    assert "every slot" not in caplog.text
