"""The backend for Django's task framework: everything that Django asks of a backend and of its worker."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import honker
import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from honker.contrib.django import app
from honker.contrib.django.tasks_api import (
    InvalidTask,
    InvalidTaskBackend,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from honker.contrib.django.testing import drain

from orders import mails
from orders.models import Confirmation, Order
from orders.tests.rollbacks import rolled_back

try:
    from django.tasks import default_task_backend, task, task_backends
except ImportError:
    from django_tasks import default_task_backend, task, task_backends

READY, RUNNING = TaskResultStatus.READY, TaskResultStatus.RUNNING
FAILED, SUCCESSFUL = TaskResultStatus.FAILED, TaskResultStatus.SUCCESSFUL

pytestmark = pytest.mark.django_db


def with_options(**options):
    return override_settings(
        TASKS={"default": {"BACKEND": "honker.contrib.django.backend.HonkerBackend", "QUEUES": [], "OPTIONS": options}}
    )


@pytest.fixture
def signals():
    seen = []

    def receiver(name):
        def receive(sender, task_result, **_):
            seen.append((name, sender.__name__, task_result.id, task_result.status))

        return receive

    receivers = {
        signal: receiver(name)
        for name, signal in (("enqueued", task_enqueued), ("started", task_started), ("finished", task_finished))
    }
    for signal, receive in receivers.items():
        signal.connect(receive)
    yield seen
    for signal, receive in receivers.items():
        signal.disconnect(receive)


def exists(result_id):
    try:
        default_task_backend.get_result(result_id)
    except TaskResultDoesNotExist:
        return False
    return True


def test_a_task_goes_from_ready_to_successful():
    before = timezone.now()
    result = mails.add.enqueue(1, b=2)
    assert (result.status, result.args, result.kwargs) == (READY, [1], {"b": 2})
    assert before <= result.enqueued_at <= timezone.now()
    assert (result.started_at, result.attempts) == (None, 0)

    found = default_task_backend.get_result(result.id)
    assert (found.status, found.args, found.kwargs, found.task) == (READY, [1], {"b": 2}, mails.add)

    drain()
    result.refresh()
    assert (result.status, result.return_value, result.attempts, result.errors) == (SUCCESSFUL, 3, 1, [])
    assert before <= result.started_at == result.last_attempted_at <= result.finished_at <= timezone.now()
    assert result.worker_ids[0].startswith("honker-worker-")
    assert mails.add.get_result(result.id).return_value == 3


def test_the_times_of_a_task_are_those_of_the_clock_of_the_file(monkeypatch):
    later = (timezone.now() + timedelta(days=30)).replace(microsecond=0)
    monkeypatch.setattr(type(app.db.engine), "clock", lambda _: later.timestamp())
    result = mails.add.enqueue(1)
    drain()
    result.refresh()
    assert result.started_at == result.last_attempted_at == later
    assert later <= result.finished_at < later + timedelta(minutes=1)


def test_the_signals_are_sent(signals):
    result = mails.add.enqueue(1)
    drain()
    sender = "HonkerBackend"
    assert signals == [
        ("enqueued", sender, result.id, READY),
        ("started", sender, result.id, RUNNING),
        ("finished", sender, result.id, SUCCESSFUL),
    ]


def test_a_failed_attempt_is_ready_again_and_the_last_one_has_failed(signals):
    result = mails.attempt.enqueue(succeeds_at=99)
    with pytest.raises(ValueError, match="attempt 1 fails"):
        drain()
    result.refresh()
    assert (result.status, result.attempts, result.is_finished) == (READY, 1, False)
    (error,) = result.errors
    assert error.exception_class is ValueError
    assert error.traceback.startswith("Traceback (most recent call last)")
    assert error.traceback.endswith("ValueError: attempt 1 fails\n")
    assert [name for name, *_ in signals] == ["enqueued", "started"]


@with_options(retry_delay_s=0, jitter=0.0)
def test_all_attempts_are_made(signals):
    result = mails.attempt.enqueue(succeeds_at=99)
    drain(raise_errors=False)
    result.refresh()
    assert (result.status, result.attempts, len(result.errors), len(result.worker_ids)) == (FAILED, 3, 3, 3)
    assert result.started_at < result.last_attempted_at < result.finished_at
    assert [name for name, *_ in signals] == ["enqueued", "started", "started", "started", "finished"]
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value


@with_options(retry_delay_s=0, jitter=0.0, max_attempts=5)
def test_a_later_attempt_succeeds():
    result = mails.attempt.enqueue(succeeds_at=3)
    drain(raise_errors=False)
    result.refresh()
    assert result.return_value == {"attempt": 3, "id": result.id}
    assert (result.status, len(result.errors), result.attempts) == (SUCCESSFUL, 2, 3)


def test_discard_is_final(signals):
    result = mails.give_up.enqueue()
    drain(raise_errors=False)
    result.refresh()
    assert (result.status, result.attempts) == (FAILED, 1)
    assert result.errors[0].exception_class is honker.Discard
    assert signals[-1][0] == "finished"


@with_options(give_up_on=ValueError)
def test_an_exception_to_give_up_on_is_final(signals):
    result = mails.attempt.enqueue(succeeds_at=2)
    drain(raise_errors=False)
    result.refresh()
    assert (result.status, result.attempts) == (FAILED, 1)
    assert [error.exception_class for error in result.errors] == [ValueError]
    assert [name for name, *_ in signals] == ["enqueued", "started", "finished"]


@with_options(retry_on=ConnectionError)
def test_an_exception_that_is_not_retried_is_final():
    result = mails.attempt.enqueue(succeeds_at=2)
    drain(raise_errors=False)
    result.refresh()
    assert (result.status, len(result.errors)) == (FAILED, 1)


@with_options(max_attempts=1)
def test_the_cancellation_of_another_job_is_a_failure(signals):
    result = mails.wait_for_a_cancelled_job.enqueue()
    drain(raise_errors=False)
    result.refresh()
    assert (result.status, result.errors[0].exception_class) == (FAILED, honker.errors.JobCancelledError)
    assert signals[-1][0] == "finished"


@with_options(max_attempts=1)
def test_a_value_without_json_is_a_failure():
    result = mails.unreadable.enqueue()
    with pytest.raises(TypeError, match="Unsupported type"):
        drain()
    result.refresh()
    assert (result.status, result.errors[0].exception_class) == (FAILED, TypeError)


def test_an_argument_without_json_is_refused():
    with pytest.raises(TypeError, match="Unsupported type"):
        mails.add.enqueue(object())
    assert app.db.stats() == []


def test_a_coroutine_function_runs():
    result = mails.add_later.enqueue(1, 2)
    drain()
    result.refresh()
    assert (result.status, result.return_value) == (SUCCESSFUL, 3)
    assert Order.objects.get().customer == "async"


def test_priorities_run_the_largest_first():
    ids = {level: mails.add.using(priority=level).enqueue(level).id for level in (0, -100, 100, 7)}
    jobs = app.queue("default").claim_batch("w", 10)
    assert [str(job.id) for job in jobs] == [ids[level] for level in (100, 7, 0, -100)]
    found = default_task_backend.get_result(ids[100])
    assert (found.status, found.task.priority) == (RUNNING, 100)


def test_run_after_defers():
    later = datetime.now(UTC) + timedelta(hours=1)
    result = mails.add.using(run_after=later).enqueue(1)
    assert drain().done == 0
    job = app.db.get_job(int(result.id))
    assert job.run_at == pytest.approx(later.timestamp(), abs=0.001)
    assert default_task_backend.get_result(result.id).task.run_after == later


def test_the_job_commits_with_the_rows():
    with rolled_back():
        order = Order.objects.create(customer="alice")
        result = mails.confirm.enqueue(order.pk)
    assert drain().done == 0
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(result.id)

    with transaction.atomic():
        order = Order.objects.create(customer="alice")
        mails.confirm.enqueue(order.pk)
    assert drain().done == 1
    assert Confirmation.objects.count() == 1


@pytest.mark.parametrize("result_id", ["", "0", "7", "-1", "1.5", "abc", str(2**64), "٣"])
def test_an_unknown_result_does_not_exist(result_id):
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(result_id)


def test_a_job_of_another_kind_is_no_result():
    job_id = app.queue("default").enqueue({"to": "alice"})
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(str(job_id))


def test_a_cancelled_task_leaves_no_result():
    result = mails.add.enqueue(1)
    assert app.db.request_cancel(int(result.id)) == "cancelled"
    with pytest.raises(TaskResultDoesNotExist):
        result.refresh()


def test_a_task_whose_workers_died_has_failed():
    result = mails.add.using(queue_name="crashes").enqueue(1)
    queue = app.queue("crashes")
    (job,) = queue.claim_batch("w", 1)
    assert queue.fail(job.id, "w", "the lease lapsed", attempt=job.attempts)
    result.refresh()
    assert (result.status, result.errors[0].traceback) == (FAILED, "the lease lapsed")
    assert result.errors[0].exception_class is honker.errors.JobFailedError


@pytest.mark.django_db(transaction=True)
def test_coroutines_enqueue_and_read():
    async def go():
        result = await mails.add.aenqueue(1, 2)
        return await default_task_backend.aget_result(result.id)

    result = async_to_sync(go)()
    assert result.status == READY
    drain()
    async_to_sync(result.arefresh)()
    assert result.return_value == 3


def test_a_task_must_be_found_by_its_path():
    hidden = task(priority=3)(mails.add.func)
    assert hidden.enqueue(1).task.priority == 3  # the same function leads to the task

    def local():
        pass

    with pytest.raises(InvalidTask, match="module level"):
        task(local)


def _unreachable():
    pass


def test_a_task_under_another_name_is_refused():
    other = task(_unreachable)
    with pytest.raises(InvalidTask, match="workers import the task by that name"):
        other.enqueue()


def test_queues_of_the_settings_are_the_only_ones():
    only = {"BACKEND": "honker.contrib.django.backend.HonkerBackend", "QUEUES": ["mails"]}
    with override_settings(TASKS={"default": only}), pytest.raises(InvalidTask, match="Queue 'other' is not valid"):
        mails.add.using(queue_name="other")


def test_unknown_options_are_refused():
    with with_options(retires=3), pytest.raises(InvalidTaskBackend, match="unknown OPTIONS retires; known are backoff"):
        _ = task_backends["default"]


def test_an_option_outside_its_range_is_refused():
    with with_options(max_attempts=0), pytest.raises(InvalidTask, match="max_attempts"):
        mails.add.using(priority=1)


@with_options(result_ttl_s=0.001)
def test_a_result_is_kept_for_its_time():
    result = mails.add.enqueue(1)
    drain()
    deadline = timezone.now() + timedelta(seconds=10)
    while exists(result.id):
        assert timezone.now() < deadline


def test_the_backend_passes_the_checks(capsys):
    call_command("check")
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"]):
        assert [each.id for each in default_task_backend.check()] == ["honker.E004"]


def test_the_backend_is_made_without_models(tmp_path):
    code = (
        "import django; from django.conf import settings; "
        "settings.configure(TASKS={'default': {'BACKEND': 'honker.contrib.django.backend.HonkerBackend'}}); "
        "from orders_free import add; print(add.priority)"
    )
    source = "try:\n    from django.tasks import task\nexcept ImportError:\n    from django_tasks import task\n"
    source += "@task(priority=3)\ndef add(): pass\n"
    (tmp_path / "orders_free.py").write_text(source)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.stdout, ended.stderr) == ("3\n", "")
