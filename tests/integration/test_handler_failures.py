"""Handlers that fail in every way: the attempt fails and is logged, its slot is free, and the worker goes on."""

import asyncio
import gc
import logging
import pickle
import threading
import time
import typing
import weakref
from datetime import timedelta
from decimal import Decimal

import honker
import pytest
from honker.worker.worker import retry_delays

from ..support.locking import ask
from ..support.parameter_ids import stable
from ..support.waiting import until
from ..support.workers import dead, live, run_for, run_until, working


class Panic(BaseException):
    """An exception that is no `Exception`, as some libraries raise."""


class NoMessage(Exception):
    def __str__(self):
        raise AttributeError("no response")


class EndlessMessage(Exception):
    def __str__(self):
        raise EndlessMessage


class PanicInMessage(Exception):
    def __str__(self):
        raise Panic


class WrongMessage(Exception):
    def __str__(self):
        return None  # noqa: PLE0307 - the mistake under test


def with_wrong_notes():
    error = ValueError("noted")
    error.__notes__ = 5
    return error


def with_long_chain():
    error = ValueError("first")
    for number in range(3000):
        try:
            raise RuntimeError(f"number {number}") from error
        except RuntimeError as next_error:
            error = next_error
    return error


def nested():
    error = ValueError("inner")
    for number in range(2000):
        error = ExceptionGroup(f"group {number}", [error])
    return error


ERRORS = {
    "a library's own": lambda: Panic("boom"),
    "GeneratorExit": lambda: GeneratorExit("boom"),
    "KeyboardInterrupt": lambda: KeyboardInterrupt("boom"),
    "SystemExit": lambda: SystemExit("boom"),
    "CancelledError": lambda: asyncio.CancelledError("boom"),
    "StopIteration": lambda: StopIteration("boom"),
    "StopAsyncIteration": lambda: StopAsyncIteration("boom"),
    "a group": lambda: BaseExceptionGroup("boom", [Panic("a"), ValueError("b")]),
    "no message": NoMessage,
    "endless message": EndlessMessage,
    "panic in the message": PanicInMessage,
    "wrong message": WrongMessage,
    "wrong notes": with_wrong_notes,
    "long chain": with_long_chain,
    "nested groups": nested,
    "huge": lambda: ValueError("x" * 10_000_000),
    "halves of surrogates": lambda: ValueError("\ud800 \udcff"),
    "a position that is no number": lambda: SyntaxError("bad", ("f.py", "not a number", 1, "text")),
}


def failing(queue, kind, is_async, **options):
    def fail():
        raise ERRORS[kind]()

    async def afail():
        raise ERRORS[kind]()

    return queue.task(name="bad", **({"retries": 1} | options))(afail if is_async else fail)


@pytest.mark.parametrize("is_async", [False, True], ids=["thread", "loop"])
@pytest.mark.parametrize("kind", ERRORS)
def test_any_exception_fails_the_attempt_and_frees_the_slot(db, queue, path, caplog, kind, is_async):
    failing(queue, kind, is_async)()
    assert run_for(db, queue.task(name="good")(lambda: 1)(), concurrency=1) == 1
    ((attempts, error),) = dead(path)
    assert attempts == 1
    expected = type(ERRORS[kind]()).__name__
    assert "boom" in error or expected in error
    assert "failed for good" in caplog.text


@pytest.mark.parametrize("is_async", [False, True], ids=["thread", "loop"])
def test_a_cancellation_from_within_is_one_failed_attempt_with_a_traceback(db, queue, path, is_async):
    failing(queue, "CancelledError", is_async, retries=3, retry_delay_s=1000)()
    run_until(db, lambda: live(path)[0][2])
    ((state, attempts, error),) = live(path)
    assert (state, attempts) == ("pending", 1)
    assert error.startswith("boom\nTraceback")


def test_a_handler_that_cancels_its_own_task_has_failed(db, queue, path):
    @queue.task(name="t", retries=3, retry_delay_s=1000)
    async def task():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    task()
    run_until(db, lambda: live(path)[0][2])
    assert live(path)[0][:2] == ("pending", 1)
    assert "Traceback" in live(path)[0][2]


def test_an_event_loop_that_shuts_down_costs_no_attempt(db, queue, path):
    entered = threading.Event()

    @queue.task(name="t")
    async def task():
        entered.set()
        await asyncio.Event().wait()

    async def main():
        main.workers = asyncio.ensure_future(db.run_workers())
        task()
        await until(entered.is_set)

    asyncio.run(main())  # which cancels every task that is left, in any order
    assert live(path) == [("pending", 0, None)]


@pytest.mark.parametrize("is_async", [False, True], ids=["thread", "loop"])
def test_the_variables_of_a_failed_handler_are_freed_at_once(db, queue, path, is_async):
    class Large:
        pass

    alive = []

    def fail():
        large = Large()
        alive.append(weakref.ref(large))
        try:
            raise ValueError("inner")
        except ValueError as inner:
            kept = inner  # a circle: the frame holds the exception, and that its frame
            raise RuntimeError("outer") from kept

    async def afail():
        fail()

    queue.task(name="t", retries=1)(afail if is_async else fail)()
    gc.disable()
    try:
        run_until(db, lambda: dead(path))
        assert alive[0]() is None
    finally:
        gc.enable()


class Unfinished(honker.Retryable):
    """A subclass whose constructor does not call that of its base."""

    def __init__(self):
        pass


@pytest.mark.parametrize(
    ("delay_s", "least", "most"),
    [
        (timedelta(seconds=2000, milliseconds=500), 2000, 2002),
        (Decimal(2000), 1999, 2001),
        (10**400, 3.1e9, 3.2e9),
        (None, 499, 501),
        ("2000", 499, 501),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("is_async", [False, True], ids=["thread", "loop"])
def test_the_delay_of_retryable_is_exact_and_its_message_is_kept(db, queue, path, delay_s, least, most, is_async):
    def put_off():
        raise honker.Retryable("later", delay_s)

    async def aput_off():
        put_off()

    queue.task(name="t", retry_delay_s=500, jitter=0)(aput_off if is_async else put_off)()
    run_until(db, lambda: live(path)[0][2])
    ((delay, error),) = ask(path, "SELECT run_at - unixepoch(), last_error FROM _honker_live")
    assert least <= delay <= most
    assert error.splitlines()[0] == "later"


def test_a_subclass_of_retryable_may_forget_its_base(db, queue, path):
    @queue.task(name="t", retry_delay_s=500)
    def task():
        raise Unfinished

    task()
    run_until(db, lambda: live(path)[0][2])
    assert live(path)[0][2].startswith("Unfinished\n")


# -------------------------------------------------------------------------------------------------------------- results


class Lazy(dict):
    """A value whose own method fails when it is written."""

    def items(self):
        raise LookupError("no connection")


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), Lazy(a=1)], ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("is_async", [False, True], ids=["thread", "loop"])
def test_a_result_without_json_is_dropped_with_a_warning_and_the_job_is_done(db, queue, path, caplog, value, is_async):
    ask(path, "CREATE TABLE work (n INTEGER)")

    def work(tx: honker.Transaction):
        tx.execute("INSERT INTO work VALUES (1)")
        return value

    async def awork(tx: honker.Transaction):
        async with tx:
            return work(tx)

    result = queue.task(name="t", retries=1)(awork if is_async else work)()
    with pytest.raises(honker.ResultGoneError):
        run_for(db, result)
    assert dead(path) == []
    assert ask(path, "SELECT n FROM work") == [(1,)]
    assert "its result is not stored" in caplog.text


# ----------------------------------------------------------------------------------------------------------- generators


def generator():
    yield 1


async def async_generator():
    yield 1


class GeneratorObject:
    def __call__(self):
        yield 1


@pytest.mark.parametrize("fn", [generator, async_generator, GeneratorObject()], ids=["sync", "async", "object"])
def test_a_generator_is_refused_where_it_is_decorated(db, queue, fn):
    for decorate in (queue.task(name="t"), queue.periodic_task(honker.every_s(1), name="p")):
        with pytest.raises(honker.InvalidTaskError, match="generator function"):
            decorate(fn)
    with pytest.raises(honker.InvalidDeliveryError, match="generator function"):
        db.outbox("mail", fn)
    assert honker.registry().names() == []


async def nothing():
    return None


async def a_coroutine():
    return nothing()


@pytest.mark.parametrize(
    ("fn", "lazy"),
    [
        (lambda *_: generator(), "a generator"),
        (lambda *_: async_generator(), "an async generator"),
        (lambda: map(print, [1]), "a map"),
        (a_coroutine, "a coroutine"),
    ],
    ids=["generator", "async generator", "map", "coroutine of a coroutine"],
)
def test_a_lazy_value_that_is_returned_fails_the_attempt(db, queue, path, fn, lazy):
    queue.task(name="t", retries=1, store_result=False)(fn)()
    run_until(db, lambda: dead(path))
    assert f"the handler returned {lazy}, which has not run" in dead(path)[0][1]


# ------------------------------------------------------------------------------------------------------------ injection


def test_a_job_is_injected_where_it_is_optional(db, queue):
    @queue.task(name="t")
    def task(n, job: honker.Job | None = None, *, other: typing.Optional["honker.Job"] = None):
        return [n, job.id, other.id]

    result = task(5)
    assert run_for(db, result) == [5, result.id, result.id]


def test_an_optional_job_whose_annotations_cannot_be_evaluated_is_injected(db, queue):
    def task(n: "Missing", job: "honker.Job | None" = None):  # noqa: F821
        return job.id

    result = queue.task(name="t")(task)(5)
    assert run_for(db, result) == result.id


def test_parameters_may_have_any_name(db, queue):
    @queue.task(name="t")
    def task(**options: int):
        return options

    assert run_for(db, task(self=1, args=2)) == {"self": 1, "args": 2}
    assert task.call_local(self=1) == {"self": 1}


def test_a_collecting_parameter_is_never_injected(db, queue):
    @queue.task(name="t")
    def task(*jobs: honker.Job, **more: honker.Job):
        return [list(jobs), more]

    assert run_for(db, task(1, a=2)) == [[1], {"a": 2}]


# ---------------------------------------------------------------------------------------------------------------- times


def test_a_thread_that_goes_on_after_its_time_is_reported_until_it_ends(db, queue, path, caplog):
    caplog.set_level(logging.INFO)
    proceed = threading.Event()
    queue.task(name="t", retries=1, timeout_s=0.02)(lambda: proceed.wait(10))()

    async def main():
        async with working(db, concurrency=1):
            await until(lambda: dead(path))
            assert dead(path) == [(1, "timeout after 0.02s; its thread goes on and keeps its slot")]
            assert "all 1 slots are kept by threads that were given up" in caplog.text
            proceed.set()
            await until(lambda: "has ended; its slot is free" in caplog.text)

    asyncio.run(main())


def test_a_handler_that_ignores_its_cancellation_is_reported(db, queue, caplog):
    proceed = asyncio.Event()

    @queue.task(name="t", timeout_s=0.02)
    async def task():
        while not proceed.is_set():
            try:
                await asyncio.wait_for(proceed.wait(), 30)
            except asyncio.CancelledError:
                continue

    async def main():
        task()
        async with working(db):
            await until(lambda: "ignores the cancellation and keeps its slot" in caplog.text)
            proceed.set()

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------------ log


def test_each_attempt_has_one_debug_line_with_its_facts(db, queue, path, caplog):
    caplog.set_level(logging.DEBUG, "honker")

    @queue.task(name="t", retries=2, retry_delay_s=0)
    def task(job: honker.Job):
        time.sleep(0.01)
        if job.attempts == 1:
            raise ValueError("broken")

    result = task()
    assert run_for(db, result) is None
    lines = [record for record in caplog.records if record.levelname == "DEBUG" and hasattr(record, "job_id")]
    facts = [(each.task, each.queue, each.job_id, each.attempt, each.outcome) for each in lines]
    assert facts == [("t", "q", result.id, 1, "failed"), ("t", "q", result.id, 2, "done")]
    assert all(0.01 <= each.seconds < 10 for each in lines)
    assert lines[1].message.startswith(f"task 't', job {result.id} of queue 'q', attempt 2: done in 0.")


def test_a_logging_handler_that_raises_loses_no_job(db, queue, path):
    class Broken(logging.Handler):
        def handle(self, record):
            raise OSError("disk full")

    queue.task(name="bad", retries=1)(lambda: 1 / 0)()
    good = queue.task(name="good")(lambda: 1)
    broken = Broken()
    logging.getLogger("honker").addHandler(broken)
    try:
        assert run_for(db, good(), concurrency=1) == 1
    finally:
        logging.getLogger("honker").removeHandler(broken)
    assert dead(path)[0][1].startswith("division by zero")


def test_a_thread_that_was_given_up_frees_its_slot_when_its_rollback_fails(db, queue, path, monkeypatch):
    proceed = threading.Event()
    scope = type(db.engine.handler_transaction())
    finish = scope.finish

    def fail_to_finish(self, *, commits):
        finish(self, commits=commits)
        raise honker.DatabaseError("disk I/O error")

    @queue.task(name="stuck", retries=1, timeout_s=0.02)
    def stuck(tx: honker.Transaction):
        proceed.wait(10)

    stuck()
    good = queue.task(name="good")(lambda: 1)
    monkeypatch.setattr(scope, "finish", fail_to_finish)

    async def main():
        async with working(db, concurrency=1):
            await until(lambda: dead(path))
            result = good()
            proceed.set()
            return await result.aget(10)

    assert asyncio.run(main()) == 1


# ---------------------------------------------------------------------------------------------- putting off and retries


def waiting(path):
    return ask(path, "SELECT attempts, run_at, last_error FROM _honker_live ORDER BY id")


def snooze_by_raising(job):
    raise honker.Snooze(timedelta(seconds=1000), "no token")


def snooze_by_method(job):
    assert job.snooze(1000, "no token")


async def snooze_on_the_loop(job):
    assert await job.asnooze(1000, "no token")


@pytest.mark.parametrize("put_off", [snooze_by_raising, snooze_by_method, snooze_on_the_loop])
def test_a_job_that_is_put_off_waits_uncharged(db, queue, path, put_off):
    def handler(job: honker.Job):
        return put_off(job)

    queue.task(name="t", max_attempts=1)(handler)()
    before = time.time()
    run_until(db, lambda: (waiting(path)[0][2] or "") == "no token")
    ((attempts, run_at, _),) = waiting(path)
    assert attempts == 0
    assert before + 1000 <= run_at <= time.time() + 1001
    assert dead(path) == []


def test_a_job_that_is_put_off_often_does_not_die_of_it(db, queue):
    seen = []

    @queue.task(name="t", max_attempts=2)
    def limited():
        seen.append(1)
        if len(seen) <= 10:
            raise honker.Snooze(0)
        return "done"

    assert run_for(db, limited()) == "done"
    assert len(seen) == 11


def test_a_job_that_its_handler_puts_off_for_no_time_is_run_again_and_settled_once(db, queue):
    seen = []

    @queue.task(name="t", max_attempts=1)
    def handler(job: honker.Job):
        seen.append(job.attempts)
        if len(seen) < 20:
            job.snooze(0)
            return "put off"
        return "done"

    assert run_for(db, handler(), concurrency=1) == "done"
    assert seen == [1] * 20


def test_a_handler_that_puts_off_its_job_in_its_transaction_commits_both(db, queue, path):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE done (n INTEGER)")

    @queue.task(name="t")
    def handler(job: honker.Job, tx: honker.Transaction):
        tx.execute("INSERT INTO done VALUES (1)")
        job.snooze(1000, "later", tx=tx)

    handler()
    run_until(db, lambda: waiting(path)[0][2] == "later")
    assert ask(path, "SELECT n FROM done") == [(1,)]
    assert waiting(path)[0][0] == 0


@pytest.mark.parametrize("delay_s", [None, "1", object(), float("nan")], ids=stable)
def test_a_snooze_with_a_delay_that_is_none_fails_the_attempt(db, queue, path, delay_s):
    @queue.task(name="t", retry_delay_s=1000)
    def handler():
        raise honker.Snooze(delay_s)

    handler()
    run_until(db, lambda: waiting(path)[0][0] == 1 and waiting(path)[0][2])
    assert "delay_s is no number" in waiting(path)[0][2]


def test_a_snooze_travels_between_processes():
    copied = pickle.loads(pickle.dumps(honker.Snooze(5, "why")))
    assert (copied.delay_s, str(copied)) == (5, "why")


@pytest.mark.parametrize("value", [-1, 10**10, float("inf")])
def test_a_job_is_not_put_off_for_an_impossible_time(queue, value):
    queue.enqueue({})
    job = queue.claim_one("w")
    with pytest.raises(honker.InvalidArgumentError, match="delay_s is"):
        job.snooze(value)
    assert not job.is_released
    assert job.ack()


def test_a_lost_lease_is_not_put_off(queue):
    queue.enqueue({})
    job = queue.claim_one("w")
    job.retry(0)
    assert (job.snooze(10), job.is_released) == (False, False)


@pytest.mark.parametrize(
    ("first_s", "backoff", "longest_s", "attempt", "expected"),
    [
        (1, 2.0, None, 5, 16),
        (1, 2, 10, 5, 10),
        (1, 2.0, 3600, 5000, 3600),
        (1, 2, None, 5000, float("inf")),
        (0.1, 1e300, None, 3, float("inf")),
        (0, 2.0, None, 5000, 0),
        (60, 0.5, None, 5000, 0),
    ],
)
def test_the_delay_of_a_retry_is_bounded_and_does_not_overflow(first_s, backoff, longest_s, attempt, expected):
    assert retry_delays(first_s, backoff, longest_s)(attempt) == expected


def test_the_jitter_of_a_retry_never_makes_it_early():
    delays = [retry_delays(10, 2, 60, 0.5)(attempt) for attempt in (1, 4) for _ in range(200)]
    assert all(10 <= delay <= 15 for delay in delays[:200])
    assert all(60 <= delay <= 90 for delay in delays[200:])
    assert len(set(delays)) > 100


def test_retries_are_spread_unless_the_task_says_otherwise(db, queue, path):
    def broken():
        raise ZeroDivisionError

    for name, options in ("spread", {}), ("exact", {"jitter": 0}):
        queue.task(name=name, retry_delay_s=1000, **options)(broken)()
    before = time.time()
    run_until(db, lambda: all(attempts == 1 for attempts, _, _ in waiting(path)))
    (_, spread, _), (_, exact, _) = waiting(path)
    assert before + 1000 <= exact <= time.time() + 1001
    assert before + 1000 <= spread <= time.time() + 1101
