"""Tasks whose handlers run in separate processes: each can be ended alone, without ending the worker."""

import asyncio
import functools
import importlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import honker
import pytest
from honker.worker import process_child, process_pool as processes

from ..support.locking import ask
from ..support.parameter_ids import stable
from ..support.processes import running
from ..support.waiting import until, wait_until
from ..support.workers import dead, live, run_for, run_until, working


@pytest.fixture
def handlers(monkeypatch):
    """The module of handlers, importable in the processes."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    return importlib.import_module("process_handlers")


@pytest.fixture
def make(queue, handlers):
    """Make a task of a handler, by its name."""

    def make(name, **options):
        return queue.task(executor="process", **options)(functools.reduce(getattr, name.split("."), handlers))

    return make


def is_gone(process_id):
    """True if a process has ended, including one without a wait for its exit status."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def pids(marker):
    return [int(each) for each in marker.read_text().split()]


# -------------------------------------------------------------------------------------------------------------- calling


def test_a_handler_runs_in_another_process_and_its_result_comes_back(db, make):
    assert run_for(db, make("add")(1, b=2)) == 3
    assert run_for(db, make("process_id")()) != os.getpid()
    assert run_for(db, make("Holder.static")({"ü": [1.5, None]})) == {"ü": [1.5, None]}


def test_a_process_is_kept_for_the_next_call(db, make):
    task = make("process_id")

    async def main():
        async with working(db, concurrency=1):
            return {await task().aget(10) for _ in range(5)}

    assert len(asyncio.run(main())) == 1


def test_handlers_run_side_by_side(db, make, tmp_path):
    task = make("wait_for")
    markers = [tmp_path / f"marker {number}" for number in range(3)]

    async def main():
        async with working(db):
            results = [task(str(marker), str(tmp_path / "go")) for marker in markers]
            await until(lambda: all(marker.exists() for marker in markers))
            (tmp_path / "go").touch()
            await asyncio.gather(*(result.aget(10) for result in results))

    asyncio.run(main())
    assert len({pids(marker)[0] for marker in markers}) == 3


APPLICATION = """
import sys
import honker
db = honker.open(sys.path[0] + "/app.db")
queue = db.queue("q")
@queue.task(executor="process", name="double")
def double(n):
    return 2 * n
"""
# As users write it, without the guard that multiprocessing would need.
SCRIPT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from application import db, double
async def main():
    stop = asyncio.Event()
    workers = asyncio.create_task(db.run_workers(stop_event=stop))
    print(await double(21).aget(20))
    stop.set()
    await workers
print("once")
asyncio.run(main())
db.close()
"""


def test_a_module_that_decorates_its_functions_is_imported_by_the_process(tmp_path):
    (tmp_path / "application.py").write_text(APPLICATION)
    with running(SCRIPT, tmp_path) as script:
        assert script.finish() == ["once", "42"]


# ------------------------------------------------------------------------------------------------------------- failures


def test_a_handler_that_takes_too_long_is_killed_with_what_it_started_and_others_go_on(db, make, tmp_path, path):
    marker, other, go = tmp_path / "marker", tmp_path / "other", tmp_path / "go"
    slow, patient = make("start_and_wait", timeout_s=2, retries=1), make("wait_for")

    async def main():
        async with working(db):
            result = patient(str(other), str(go))
            slow(str(marker))
            await until(lambda: dead(path))
            assert dead(path) == [(1, "timeout after 2s")]
            await until(lambda: all(is_gone(each) for each in pids(marker)))
            assert live(path) == [("processing", 1, None)]
            go.touch()
            assert await result.aget(10) == "went on"

    asyncio.run(main())


def test_a_handler_that_lets_no_thread_of_its_process_run_is_killed_all_the_same(db, make, tmp_path, path):
    marker = tmp_path / "marker"
    make("hold_the_interpreter", timeout_s=2, retries=1)(str(marker))
    run_until(db, lambda: dead(path))
    assert dead(path) == [(1, "timeout after 2s")]
    wait_until(lambda: is_gone(pids(marker)[0]))


SLOW_TO_IMPORT = """
import os, time
time.sleep(float(os.environ.get("IMPORT_S", 0)))
def quick():
    return 1
"""


def test_starting_a_process_and_importing_is_not_the_handlers_time(db, queue, tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text(SLOW_TO_IMPORT)
    monkeypatch.syspath_prepend(tmp_path)
    quick = queue.task(executor="process", timeout_s=2, retries=1)(importlib.import_module("slow_to_import").quick)
    monkeypatch.setenv("IMPORT_S", "2.5")
    assert run_for(db, quick()) == 1


def test_a_process_that_does_not_begin_is_a_failed_attempt(db, make, path, monkeypatch):
    monkeypatch.setattr(processes, "START_S", 0.001)
    make("add", retries=1)(1)
    run_until(db, lambda: dead(path))
    assert dead(path) == [(1, "the handler's process did not begin within 0.001 s")]


def test_a_process_that_cannot_be_started_is_a_failed_attempt(db, make, path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    make("add", retries=1)(1)
    run_until(db, lambda: dead(path))
    assert dead(path)[0][1].startswith("no process could be started for the handler: ")


def test_a_process_that_is_killed_is_a_failed_attempt_and_not_a_dead_worker(db, make, tmp_path, path):
    marker = tmp_path / "marker"

    async def main():
        async with working(db, concurrency=1):
            make("start_and_wait", retries=1)(str(marker))
            await until(marker.exists)
            os.kill(pids(marker)[0], signal.SIGKILL)
            await until(lambda: dead(path))
            os.kill(pids(marker)[1], signal.SIGKILL)  # its child process has lost its parent
            return await make("add")(1, 2).aget(10)

    assert asyncio.run(main()) == 3
    assert dead(path) == [(1, "the handler's process was killed (SIGKILL); the system may have been out of memory")]


def test_a_process_that_ends_itself_is_a_failed_attempt(db, make, path):
    make("end_process", retries=2, retry_delay_s=0.001)(7)
    run_until(db, lambda: dead(path))
    assert dead(path) == [(2, "the handler's process ended with exit code 7")]


def test_a_process_that_dies_takes_along_what_its_handler_has_started(db, make, tmp_path, path):
    marker = tmp_path / "marker"
    make("start_and_die", retries=1)(str(marker), 3)
    run_until(db, lambda: dead(path))
    assert dead(path) == [(1, "the handler's process ended with exit code 3")]
    wait_until(lambda: all(is_gone(each) for each in pids(marker)))


def test_what_a_handler_has_started_ends_with_the_worker(db, make, tmp_path):
    marker = tmp_path / "marker"
    assert run_for(db, make("start_a_program")(str(marker))) is None
    wait_until(lambda: all(is_gone(each) for each in pids(marker)))


def test_a_forked_child_of_a_handler_can_be_terminated(db, make, tmp_path):
    assert run_for(db, make("terminate_a_forked_child")(str(tmp_path / "marker"))) == -signal.SIGTERM


def test_a_forked_child_can_be_terminated_before_it_has_replaced_its_signal_handlers(db, make):
    codes = run_for(db, make("terminate_forked_children_at_once", timeout_s=30)(100))
    assert set(codes) == {-signal.SIGTERM}


def test_pools_of_forked_processes_come_to_their_end(db, make):
    assert run_for(db, make("use_pools", timeout_s=60)(5)) == [[1, 2, 3]] * 5


def test_a_process_that_dies_between_two_calls_costs_nobody_an_attempt(db, make):
    task = make("process_id", retries=1)

    async def main():
        async with working(db, concurrency=1):
            first = await task().aget(10)
            os.kill(first, signal.SIGKILL)
            return first, await task().aget(10)

    first, second = asyncio.run(main())
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        (("ValueError", "broken"), "broken\nTraceback"),
        (("SystemExit", 3), "3\nTraceback"),
        (("Retryable", "no"), "no"),
        (("Unreadable",), "Unreadable (its message"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_a_handler_raises_is_its_failure(db, make, path, arguments, begins):
    make("fail", retries=1)(*arguments)
    run_until(db, lambda: dead(path))
    ((attempts, error),) = dead(path)
    assert attempts == 1
    assert error.startswith(begins)


def test_a_handler_chooses_the_delay_before_its_next_attempt(db, make, path):
    make("fail")("Retryable", "later", 1000)
    run_until(db, lambda: live(path)[0][2])
    assert live(path) == [("pending", 1, "later")]
    assert ask(path, "SELECT run_at - unixepoch() BETWEEN 990 AND 1001 FROM _honker_live") == [(1,)]


def test_the_delay_may_be_a_timedelta(db, make, path):
    make("put_off_for")(2)
    run_until(db, lambda: live(path)[0][2])
    assert ask(path, "SELECT run_at - unixepoch() BETWEEN 7190 AND 7201 FROM _honker_live") == [(1,)]


@pytest.mark.parametrize(
    ("name", "says"),
    [("return_awaitable", "must not return an awaitable"), ("return_generator", "returned a generator")],
)
@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_value_that_is_work_to_be_done_is_a_failure(db, make, path, name, says):
    make(name, retries=1)()
    run_until(db, lambda: dead(path))
    assert says in dead(path)[0][1]


def test_a_result_without_json_is_dropped_with_a_warning_and_the_job_is_done(db, make, path, caplog):
    with pytest.raises(honker.ResultGoneError):
        run_for(db, make("return_what_has_no_json", retries=1)())
    assert dead(path) == []
    assert "its result is not stored: Object of type object" in caplog.text


def test_a_result_that_nobody_keeps_may_be_anything(db, make):
    with pytest.raises(honker.ResultGoneError):
        run_for(db, make("return_what_has_no_json", store_result=False)())


# ----------------------------------------------------------------------------------------------------- leases, stopping


def test_a_lost_lease_ends_the_process(path, handlers, tmp_path):
    marker = tmp_path / "marker"
    with honker.open(path) as db:
        task = db.queue("q", visibility_timeout_s=0.3).task(executor="process")(handlers.start_and_wait)

        async def main():
            async with working(db):
                result = task(str(marker))
                await until(marker.exists)
                db.cancel(result.id)
                await until(lambda: all(is_gone(each) for each in pids(marker)))

        asyncio.run(main())


def test_a_stop_lets_the_handler_end(db, make, tmp_path):
    marker, go = tmp_path / "marker", tmp_path / "go"
    task = make("wait_for")

    async def main():
        stop = asyncio.Event()
        workers = asyncio.ensure_future(db.run_workers(stop_event=stop))
        result = task(str(marker), str(go))
        await until(marker.exists)
        stop.set()
        await asyncio.sleep(0)
        go.touch()
        await asyncio.wait_for(workers, 10)
        return result.get(0)

    assert asyncio.run(main()) == "went on"


def test_what_still_runs_after_the_grace_period_is_killed_and_given_back_uncharged(db, make, tmp_path, path):
    marker = tmp_path / "marker"
    make("start_and_wait")(str(marker))
    run_until(db, marker.exists, grace_s=0.1)
    assert live(path) == [("pending", 0, None)]
    wait_until(lambda: all(is_gone(each) for each in pids(marker)))


def test_the_idle_processes_of_a_worker_end_with_it_in_good_order(db, make, tmp_path):
    marker = tmp_path / "marker"
    process_id = run_for(db, make("say_goodbye")(str(marker)))
    assert is_gone(process_id)
    assert pids(marker) == [process_id]


def test_a_signal_to_everybody_is_the_workers_business(db, make):
    """Ctrl-C and `kill` of a service reach the handlers too, which must get their grace period."""
    assert run_for(db, make("ignore_signals", retries=1)()) == "alive"


WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
import honker, process_handlers
db = honker.open(sys.argv[1])
task = db.queue("q").task(executor="process")(process_handlers.start_and_wait)
task(sys.argv[3])
asyncio.run(db.run_workers())
"""


def test_a_worker_that_is_killed_leaves_no_handler_behind(path, tmp_path):
    """Its leases expire and the next worker runs the jobs: the handlers must have ended by then."""
    marker = tmp_path / "marker"
    with running(WORKER, path, Path(__file__).parent, marker) as worker:
        wait_until(marker.exists)
        worker.kill()
        wait_until(lambda: all(is_gone(each) for each in pids(marker)))


CHILD = "import sys; from honker.worker.process_child import serve; serve(int(sys.argv[1]))"


@pytest.mark.parametrize("sent", [3, 5000], ids=["within the length", "within the body"])
def test_a_worker_that_is_killed_while_it_sends_leaves_no_process_behind(sent):
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-c", CHILD, str(theirs.fileno())]
        child = subprocess.Popen(command, pass_fds=[theirs.fileno()], start_new_session=True)
    try:
        with ours:
            call = {"target": ["os", "getpid", ""], "args": ["x" * 10_000], "kwargs": {}, "result_max_chars": 1_000_000}
            ours.sendall(process_child.encode(call)[:sent])
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.wait()


# ----------------------------------------------------------------------------------------------------------- decorating


async def coroutine(): ...


def with_job(job: honker.Job): ...


def with_transaction(n, tx: honker.Transaction): ...


class Callable:
    def __call__(self): ...

    def method(self): ...


@pytest.mark.parametrize(
    ("fn", "says"),
    [
        (coroutine, "coroutine function"),
        (lambda: None, "lambda"),
        (functools.partial(len, "x"), "partial has no name"),
        (Callable(), "Callable has no name"),
        (Callable().method, "method has no name"),
        (with_job, "'job'.*executor='thread'"),
        (with_transaction, "'tx'.*executor='thread'"),
    ],
    ids=stable,
)
def test_a_function_that_another_process_cannot_call_is_refused_at_once(queue, fn, says):
    for decorate in (queue.task(executor="process"), queue.periodic_task(honker.every_s(1), executor="process")):
        with pytest.raises(honker.InvalidTaskError, match=says) as refusal:
            decorate(fn)
        assert isinstance(refusal.value, TypeError)
    assert honker.registry().names() == []


def test_a_function_within_another_is_refused(queue):
    def local(): ...

    with pytest.raises(honker.InvalidTaskError, match="move it to the top of its module"):
        queue.task(executor="process")(local)


def test_a_function_of_the_script_that_runs_is_refused(queue, monkeypatch):
    monkeypatch.setattr(with_job, "__module__", "__main__")
    with pytest.raises(honker.InvalidTaskError, match="move it to a module of its own"):
        queue.task(executor="process")(with_job)


def test_the_executor_is_a_thread_unless_asked_for(queue):
    assert queue.task(name="t")(lambda: None).spec.executor == "thread"
    with pytest.raises(honker.InvalidArgumentError, match="'thread' or 'process'"):
        queue.task(executor="fork")
