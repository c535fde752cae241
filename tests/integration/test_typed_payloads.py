"""Typed arguments and results on their way through the database and a worker."""

import asyncio
import dataclasses
import importlib
import json
import logging
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import honker
import pytest

from ..support.workers import dead, run_for, run_until

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


@dataclasses.dataclass
class Order:
    id: int
    at: datetime
    total: Decimal = Decimal(0)


ORDER = Order(7, MOMENT, Decimal("1.50"))


def stored(db, job_id):
    return json.loads(db.get_job(job_id)["payload"])["__honker_task__"]


def takes_a_day(day: date): ...


@pytest.fixture
def handlers(monkeypatch):
    """The module of handlers, importable by name here and in the processes of a worker."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield importlib.import_module("typed_handlers")
    sys.modules.pop("typed_handlers", None)


def test_a_worker_gets_typed_arguments_and_the_caller_a_typed_result(db, queue):
    seen = []

    @queue.task()
    def raise_total(order: Order, by: Decimal, *, due: date) -> Order:
        seen.append((order, by, due))
        return dataclasses.replace(order, total=order.total + by)

    result = raise_total(ORDER, Decimal("0.5"), due=date(2026, 3, 1))
    assert stored(db, result.id)["args"] == [{"id": 7, "at": "2026-01-02T00:00:00+00:00", "total": "1.50"}, "0.5"]
    assert run_for(db, result) == Order(7, MOMENT, Decimal("2.00"))
    assert seen == [(ORDER, Decimal("0.5"), date(2026, 3, 1))]
    assert result.get(5) == asyncio.run(result.aget(5)) == Order(7, MOMENT, Decimal("2.00"))


def test_a_coroutine_function_is_typed_as_well(db, queue):
    @queue.task()
    async def later(when: datetime) -> datetime:
        return when + timedelta(days=1)

    assert run_for(db, later(MOMENT)) == MOMENT + timedelta(days=1)


def test_a_worker_fills_its_parameters_around_typed_ones(db, queue):
    @queue.task()
    def task(job: honker.Job, tx: honker.Transaction, order: Order, when: date = date(2026, 1, 1)) -> list[date]:
        assert isinstance(job, honker.Job)
        assert tx.query("SELECT 1 AS one") == [{"one": 1}]
        assert isinstance(order, Order)
        return [when]

    assert run_for(db, task(ORDER)) == [date(2026, 1, 1)]
    assert run_for(db, task(ORDER, when=date(2026, 1, 2))) == [date(2026, 1, 2)]


def test_a_handler_in_another_process_is_typed(db, queue, handlers):
    end_of = queue.task(executor="process")(handlers.end_of)
    assert run_for(db, end_of(handlers.Stay(date(2026, 1, 1), timedelta(days=3)))) == date(2026, 1, 4)


def test_a_stored_argument_of_another_type_is_dead_lettered_at_once(db, path, queue, handlers):
    @queue.task(name="here", retries=9)
    def here(order: Order): ...

    queue.task(name="elsewhere", retries=9, executor="process")(handlers.end_of)
    queue.enqueue({"__honker_task__": {"task": "here", "args": [5], "kwargs": {}}}, max_attempts=9)
    queue.enqueue({"__honker_task__": {"task": "elsewhere", "args": [5], "kwargs": {}}}, max_attempts=9)
    run_until(db, lambda: len(dead(path)) == 2)
    here_error, elsewhere_error = sorted(error for _, error in dead(path))
    assert (
        "argument 'order' of task 'here' is 5 of type int; its annotation takes Order" in elsewhere_error + here_error
    )
    assert "argument 'stay' of task 'elsewhere' has a value of type int" in elsewhere_error + here_error
    assert {attempts for attempts, _ in dead(path)} == {1}


def test_a_wrong_call_enqueues_nothing(db, queue):
    @queue.task()
    def send(order: Order, when: date): ...

    for call in (
        lambda: send(7, date(2026, 1, 1)),
        lambda: send.enqueue_with(delay=5)(ORDER, when="2026-01-01"),
        lambda: asyncio.run(send.aenqueue(ORDER, "2026-01-01")),
        lambda: send.si(7, date(2026, 1, 1)).enqueue(),
        lambda: honker.chain(send.si(7, date(2026, 1, 1))).enqueue(),
    ):
        with pytest.raises(honker.InvalidArgumentError, match="its annotation takes"):
            call()
    with pytest.raises(honker.InvalidPayloadError, match="its annotation takes"):
        queue.task(name="other")(takes_a_day).map([3])
    assert db.query("SELECT count(*) AS n FROM _honker_live") == [{"n": 0}]


def test_an_ambiguous_union_is_refused_at_the_decorator(queue):
    with pytest.raises(honker.InvalidTaskError, match="parameter 'path' of task 'load' cannot be carried"):

        @queue.task(name="load")
        def load(path: Path | str): ...

    with pytest.raises(honker.InvalidTaskError, match="the return value of task 'load' cannot be carried"):

        @queue.task(name="load")
        def load_again() -> Path | str: ...

    assert "load" not in honker.registry().names()


def test_a_result_of_another_type_is_a_warning_and_the_job_is_done(db, path, queue, handlers, caplog):
    @queue.task()
    def here() -> Order:
        return 5

    elsewhere = queue.task(executor="process")(handlers.wrong)
    with caplog.at_level(logging.WARNING, "honker"):
        for result in (here(), elsewhere(handlers.Stay(date(2026, 1, 1), timedelta(1)))):
            with pytest.raises(honker.ResultGoneError):
                run_for(db, result)
    assert dead(path) == []
    assert "is done, but its result is not stored: the result of task" in caplog.text
    assert "'no date' of type str; its annotation takes date" in caplog.text


def test_a_plain_result_is_stored_whatever_its_annotation_says(db, queue):
    @queue.task()
    def task() -> int:
        return "text"

    assert run_for(db, task()) == "text"


def test_the_results_of_parents_have_the_types_of_the_child(db, queue):
    @queue.task()
    def load(day: date) -> Order:
        return Order(day.day, MOMENT)

    @queue.task()
    def total(orders: list[Order], extra: Decimal) -> Decimal:
        return sum((order.total + order.id for order in orders), extra)

    workflow = honker.chord([load.s(date(2026, 1, day)) for day in (1, 2)], total.s(Decimal("0.5"))).enqueue()
    assert run_for(db, workflow) == Decimal("3.5")
    assert workflow["0.0"].get(5) == Order(1, MOMENT)
    empty = honker.chord([], total.s(Decimal(1))).enqueue()
    assert run_for(db, empty) == Decimal(1)


def test_a_mapped_task_has_typed_results(db, queue):
    @queue.task()
    def next_day(day: date) -> date:
        return day + timedelta(days=1)

    results = next_day.map([date(2026, 1, 1), date(2026, 1, 2)])
    assert [run_for(db, result) for result in results] == [date(2026, 1, 2), date(2026, 1, 3)]


def test_keys_are_functions_of_the_typed_arguments(db, queue):
    @queue.task(unique_key=lambda order: f"{order.id}-{order.at.year}")
    def send(order: Order): ...

    send(ORDER)
    assert send(ORDER).is_duplicate


def test_importing_honker_imports_no_library_of_models():
    code = "import sys, honker; print([m for m in ('pydantic', 'msgspec', 'cryptography') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
