"""`run_task`, imported as from the reference: run a custom handler for one claimed job."""

import asyncio
import functools
import json
import time

import honker
import pytest
from honker._worker import _compute_delay, run_task

from ..support.locking import ask


@pytest.fixture
def job(queue):
    queue.enqueue({"n": 20})
    return queue.claim_one("w")


def run(job, handler, **options):
    asyncio.run(run_task(job, handler, **options))


def live(path):
    return ask(path, "SELECT state, attempts, last_error FROM _honker_live")


def dead(path):
    return ask(path, "SELECT attempts, last_error FROM _honker_dead")


def wait_s(path):
    return ask(path, "SELECT run_at - unixepoch() FROM _honker_live")[0][0]


async def double(payload):
    await asyncio.sleep(0)
    return 2 * payload["n"]


class Object:
    async def __call__(self, payload):
        return await double(payload)


@pytest.mark.parametrize(
    "handler",
    [
        lambda payload: 2 * payload["n"],
        double,
        lambda payload: double(payload=payload),
        functools.partial(double),
        Object(),
    ],
    ids=["function", "coroutine", "lambda", "partial", "object"],
)
def test_a_handler_may_be_any_callable_and_what_it_returns_is_awaited_if_it_can_be(queue, job, path, handler):
    run(job, handler, save_result=True)
    assert queue.get_result(job.id) == (True, 40)
    assert live(path) == dead(path) == []


def test_a_handler_gets_the_job_where_it_asks_for_it(job, path):
    seen = []

    def named(job):
        seen.append(job)

    def annotated(it: honker.Job):
        seen.append(it)

    run(job, named)
    run(job, annotated)
    assert seen == [job, job]


def test_a_result_is_kept_only_if_asked_for_and_for_so_long(queue, job, path):
    run(job, double, save_result=True, result_ttl=100)
    assert ask(path, "SELECT expires_at - unixepoch() BETWEEN 98 AND 101 FROM _honker_results") == [(1,)]


def test_no_result_is_kept_by_default(queue, job):
    run(job, double)
    assert queue.get_result(job.id) == (False, None)


def test_a_result_that_cannot_be_kept_does_not_undo_the_success(job, path, caplog):
    run(job, lambda _: object(), save_result=True)
    assert live(path) == dead(path) == []
    assert "is not kept" in caplog.text


def test_a_failure_is_tried_again_after_the_delay(job, path):
    run(job, lambda payload: payload["missing"], retries=3, retry_delay=100)
    ((state, attempts, error),) = live(path)
    assert (state, attempts) == ("pending", 1)
    assert error.startswith("'missing'\nTraceback")
    assert 98 <= wait_s(path) <= 101


def test_the_last_attempt_is_dead(job, path):
    run(job, lambda payload: payload["missing"], retries=1)
    assert live(path) == []
    assert dead(path)[0][1].startswith("'missing'\nTraceback")


def test_without_retries_the_budget_of_the_job_decides(queue, path):
    queue.enqueue({}, max_attempts=2)
    for _ in range(2):
        run(queue.claim_one("w"), lambda payload: payload["missing"], retry_delay=0)
    assert [attempts for attempts, _ in dead(path)] == [2]


def test_what_takes_too_long_is_given_up(job, path):
    async def slow(payload):
        await asyncio.Event().wait()

    run(job, slow, timeout=0.05, retries=1)
    assert dead(path) == [(1, "timeout after 0.05s")]


@pytest.mark.parametrize("timeout", [None, 60])
def test_the_time_out_of_a_handler_itself_is_told_from_ours(job, path, timeout):
    async def impatient(payload):
        raise TimeoutError

    run(job, impatient, timeout=timeout, retries=1)
    assert dead(path)[0][1].startswith("handler timeout\nTraceback")


def test_a_handler_chooses_its_delay(job, path):
    def later(payload):
        raise honker.Retryable("later", delay_s=500)

    run(job, later, retry_delay=1)
    assert live(path) == [("pending", 1, "later")]
    assert 498 <= wait_s(path) <= 501


def test_a_cancelled_handler_leaves_the_job_to_its_lease(job, path):
    async def main():
        began = asyncio.Event()

        async def wait(payload):
            began.set()
            await asyncio.Event().wait()

        running = asyncio.create_task(run_task(job, wait, timeout=60))
        await began.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert live(path) == [("processing", 1, None)]


def test_a_success_that_cannot_be_settled_is_not_taken_for_a_failure(path):
    """The handler's effects are stored, and another attempt would repeat them."""

    class Job:
        id, attempts, payload = 1, 1, None
        settled = ()

        def ack(self):
            raise honker.DatabaseBusyError("database is locked")

        def retry(self, delay_s, error):
            self.settled = ("retry", delay_s, error)

    job = Job()
    with pytest.raises(honker.DatabaseBusyError):
        run(job, lambda payload: None)
    assert job.settled == ()


@pytest.mark.parametrize(
    ("arguments", "delay_s"), [((60, 2.0, 4), 480), ((60, 1.0, 9), 60), ((0.5, 1.0, 1), 0.5), ((0, 2.0, 5), 0)]
)
def test_the_delay_grows_by_the_backoff(arguments, delay_s):
    assert _compute_delay(*arguments) == delay_s


def test_a_delay_beyond_all_bounds_is_still_one_that_the_engine_takes(job, path):
    run(job, lambda payload: payload["missing"], retry_delay=10, backoff=1e300, retries=10)
    assert _compute_delay(10, 1e300, 10) == 3_155_760_000
    assert json.loads(json.dumps(wait_s(path))) > 0


class Panic(BaseException):
    """An exception that is no `Exception`."""


class Unreadable(Exception):
    def __str__(self):
        raise AttributeError("no response")


@pytest.mark.parametrize("error", [Panic("boom"), Unreadable(), asyncio.CancelledError("boom")], ids=repr)
def test_any_exception_of_the_handler_is_one_failed_attempt(job, path, error):
    async def fail(payload):
        raise error

    run(job, fail, retries=1)
    assert "Traceback" in dead(path)[0][1]


def test_a_generator_that_the_handler_returns_fails_the_attempt(job, path):
    def generator(payload):
        yield payload

    run(job, generator, retries=1)
    assert "returned a generator" in dead(path)[0][1]


def raising(error):
    def handler(payload):
        raise error

    return handler


def test_a_snooze_puts_the_job_off_uncharged(queue, job, path):
    run(job, raising(honker.Snooze(60)))
    assert live(path) == [("pending", 0, None)]
    assert 58 <= wait_s(path) <= 61


def test_a_rate_limit_holds_the_queue_of_the_job(queue, job, path):
    queue.enqueue({"n": 21})
    run(job, raising(honker.RateLimited(60)))
    assert queue.claim_one("w") is None
    assert queue.stats().paused_until == pytest.approx(time.time() + 60, abs=2)
    assert [attempts for _, attempts, _ in live(path)] == [0, 0]


def test_a_rate_limit_of_a_key_holds_that_key_alone(queue):
    queue.enqueue_many([1, 2, 3], key=["a", "a", "b"])
    run(queue.claim_one("w"), raising(honker.RateLimited(60, key=True)))
    assert [job.payload for job in queue.claim_batch("w", 10)] == [3]


def test_a_discarded_job_is_dead_at_once(job, path):
    run(job, raising(honker.Discard("no such user")))
    assert dead(path) == [(1, "no such user")]


def test_a_handler_that_ends_its_own_cancelled_job_is_not_tried_again(queue, job, path):
    run(job, raising(honker.JobCancelledError(job.id)))
    assert live(path) == dead(path) == []
    with pytest.raises(honker.JobCancelledError):
        asyncio.run(queue.wait_result(job.id, timeout=5))


def test_the_cancellation_of_another_job_is_a_failure(job, path):
    run(job, raising(honker.JobCancelledError(job.id + 1)))
    assert [(state, attempts) for state, attempts, _ in live(path)] == [("pending", 1)]


def test_the_result_is_kept_for_jobs_that_wait_for_it(queue):
    first = queue.enqueue({"n": 20})
    queue.enqueue("child", after=[first])
    run(queue.claim_one("w"), double)
    assert queue.claim_one("w").parents()[0].result == 40
