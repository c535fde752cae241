"""The rules of a task that decide on a failed attempt: retry_on, give_up_on and retry."""

import asyncio
import logging
import time

import honker
import pytest
from honker.task.options import exceptions_of
from honker.worker.retry_rules import RetryRules, kinds_of

from ..support.locking import ask
from ..support.workers import dead, live, run_until
from . import process_handlers


class Refused(ConnectionError):
    """Refined by an application."""


def waiting(path):
    rows = ask(path, "SELECT attempts, run_at, last_error FROM _honker_live ORDER BY id")
    return [(attempts, run_at - time.time(), error) for attempts, run_at, error in rows]


def fail_with(db, error, **options):
    """Run a task that fails once with an error until that is settled."""

    @db.task("q", name="t", retry_delay_s=1000, jitter=0, **options)
    def fail():
        raise error

    fail()
    path = db.path
    run_until(db, lambda: dead(path) or any(job[2] for job in live(path)))


@pytest.mark.parametrize(
    ("error", "options", "is_retried"),
    [
        (Refused(), {"retry_on": ConnectionError}, True),
        (Refused(), {"retry_on": (KeyError, OSError)}, True),
        (Refused(), {"retry_on": [KeyError, ValueError]}, False),
        (Refused(), {"retry_on": ()}, False),
        (Refused(), {"give_up_on": ConnectionError}, False),
        (Refused(), {"give_up_on": (KeyError,)}, True),
        (Refused(), {"retry_on": OSError, "give_up_on": Refused}, False),
        (ConnectionError(), {"retry_on": OSError, "give_up_on": Refused}, True),
        (SystemExit(1), {"give_up_on": SystemExit}, False),
        (honker.Retryable("later", 1000), {"retry_on": KeyError}, True),
        (honker.Retryable("later", 1000), {"give_up_on": Exception}, True),
    ],
    ids=repr,
)
def test_the_class_of_an_exception_decides_on_another_attempt(db, path, error, options, is_retried):
    fail_with(db, error, **options)
    assert (len(live(path)), len(dead(path))) == (1, 0) if is_retried else (0, 1)


def test_a_job_that_is_given_up_keeps_the_error_with_its_traceback(db, path):
    fail_with(db, KeyError("customer"), give_up_on=KeyError)
    ((attempts, error),) = dead(path)
    assert attempts == 1
    assert "KeyError" in error
    assert "Traceback" in error


def test_without_rules_every_exception_is_retried(db, path):
    fail_with(db, KeyError("customer"))
    assert live(path)[0][:2] == ("pending", 1)


# ------------------------------------------------------------------------------------------------------------ retry=


def test_a_function_chooses_the_delay_from_the_exception_and_the_job(db, path):
    seen = []

    def choose(error, job):
        seen.append((type(error), job.attempts, error.__traceback__ is not None))
        return 500 + job.attempts

    fail_with(db, Refused("busy"), retry=choose)
    ((attempts, delay_s, _),) = waiting(path)
    assert attempts == 1
    assert 490 < delay_s <= 501
    assert seen == [(Refused, 1, True)]


def test_a_function_gives_up_with_none(db, path):
    fail_with(db, Refused("busy"), retry=lambda error, job: None)
    assert dead(path)[0][1].startswith("busy")


def test_a_function_does_not_raise_the_number_of_attempts(db, path):
    seen = []

    @db.task("q", name="t", max_attempts=3, retry=lambda error, job: 0)
    def fail():
        seen.append(1)
        raise Refused

    fail()
    run_until(db, lambda: dead(path))
    assert len(seen) == 3


def broken(error, job):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("choose", "note"),
    [
        (broken, "ZeroDivisionError"),
        (lambda error, job: "soon", "ValueError"),
        (lambda error, job: float("nan"), "NaN"),
    ],
    ids=["raises", "text", "nan"],
)
def test_a_function_that_fails_leaves_the_delay_of_the_task_and_says_so(db, path, choose, note):
    fail_with(db, Refused("busy"), retry=choose)
    ((_, delay_s, error),) = waiting(path)
    assert 990 < delay_s <= 1000
    assert error.startswith("busy")
    assert "retry= of the task" in error
    assert note in error


@pytest.mark.parametrize("chosen", [10**400, float("inf"), 1e300])
def test_a_delay_that_is_too_long_is_the_longest(db, path, chosen):
    fail_with(db, Refused("busy"), retry=lambda error, job: chosen)
    ((_, delay_s, _),) = waiting(path)
    assert delay_s > 99 * 365 * 86_400


@pytest.mark.parametrize("chosen", [-5, float("-inf")])
def test_a_delay_below_nothing_is_none(db, path, chosen):
    seen = []

    @db.task("q", name="t", retry_delay_s=1000, max_attempts=2, retry=lambda error, job: chosen)
    def fail():
        seen.append(1)
        raise Refused

    fail()
    run_until(db, lambda: dead(path))
    assert seen == [1, 1]


def test_the_rules_apply_to_a_coroutine_too(db, path):
    @db.task("q", name="t", retry_delay_s=1000, give_up_on=Refused)
    async def fail():
        await asyncio.sleep(0)
        raise Refused

    fail()
    run_until(db, lambda: dead(path))
    assert live(path) == []


# -------------------------------------------------------------------------------------------------- timeouts, processes


@pytest.mark.parametrize(("options", "is_dead"), [({"give_up_on": TimeoutError}, True), ({"retry_on": OSError}, False)])
def test_a_timeout_counts_as_a_timeout_error(db, path, options, is_dead):
    @db.task("q", name="t", timeout_s=0.01, retry_delay_s=1000, **options)
    async def hang():
        await asyncio.Event().wait()

    hang()
    run_until(db, lambda: dead(path) or any(job[2] for job in live(path)))
    assert bool(dead(path)) == is_dead


@pytest.mark.parametrize(
    ("options", "is_dead"),
    [
        ({"give_up_on": LookupError}, True),
        ({"retry_on": LookupError}, False),
        ({"retry_on": OSError}, True),
        ({"give_up_on": OSError}, False),
    ],
    ids=str,
)
def test_the_class_of_an_exception_in_another_process_decides(db, path, options, is_dead):
    task = db.task("q", executor="process", name="t", retry_delay_s=1000, **options)(process_handlers.raise_key_error)
    task()
    run_until(db, lambda: dead(path) or any(job[2] for job in live(path)))
    assert bool(dead(path)) == is_dead


def test_the_death_of_a_process_is_no_exception_of_the_task(db, path):
    task = db.task("q", executor="process", name="t", retry_delay_s=1000, retry_on=())(process_handlers.die)
    task()
    run_until(db, lambda: dead(path) or any(job[2] for job in live(path)))
    assert dead(path) == []


def test_classes_are_told_apart_by_module_and_name():
    rules = RetryRules(give_up_on=(Refused,))
    assert rules.ruling_by_name(kinds_of(Refused())).gives_up
    assert not rules.ruling_by_name(kinds_of(ConnectionError())).gives_up


# ------------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    "options",
    [
        {"retry_on": 1},
        {"retry_on": "ValueError"},
        {"retry_on": (ValueError, 1)},
        {"retry_on": int},
        {"give_up_on": ValueError("an instance")},
        {"give_up_on": None},
        {"retry": 5},
    ],
    ids=str,
)
def test_a_rule_that_could_not_be_followed_is_refused(queue, options):
    with pytest.raises(honker.InvalidArgumentError, match=f"{next(iter(options))} is"):
        queue.task(name="t", **options)
    with pytest.raises(honker.InvalidArgumentError, match=f"{next(iter(options))} is"):
        queue.periodic_task(honker.every_s(60), name="t", **options)


def test_a_function_of_the_exception_is_refused_for_a_process(queue):
    with pytest.raises(honker.InvalidTaskError, match=r"retry=.*retry_on="):
        queue.task(name="t", executor="process", retry=lambda error, job: 1)(process_handlers.raise_key_error)


def test_exceptions_are_given_as_except_takes_them():
    assert exceptions_of(ValueError) == (ValueError,)
    assert exceptions_of([ValueError, OSError]) == (ValueError, OSError)
    assert exceptions_of((ValueError,)) == (ValueError,)
    assert exceptions_of(None) is None


# ------------------------------------------------------------------------------------------------------------- history


def test_a_failed_attempt_tells_how_long_it_ran(db, path, caplog):
    caplog.set_level(logging.CRITICAL, "honker")

    @db.task("q", name="t", retry_delay_s=0, max_attempts=2)
    async def fail():
        await asyncio.sleep(0.02)
        raise Refused("busy")

    result = fail()
    run_until(db, lambda: dead(path))
    rows = ask(path, "SELECT outcome, run_s FROM _honker_attempts WHERE job_id = " + str(result.id))
    assert [outcome for outcome, _ in rows] == ["failed", "failed"]
    assert all(0.02 <= run_s < 10 for _, run_s in rows)
