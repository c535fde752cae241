"""Middleware around the enqueueing of calls and around the handlers of their jobs."""

import asyncio
import contextlib
import contextvars
import importlib
import json
from pathlib import Path

import honker
import pytest

from ..support.locking import ask
from ..support.workers import dead, live, run_for, run_until

TENANT = contextvars.ContextVar("tenant", default=None)


@pytest.fixture(autouse=True)
def middleware():
    """The middleware of this process's tasks, empty again after each test."""
    listed = honker.registry().middleware
    yield listed
    listed.clear()


class Tenancy(honker.Middleware):
    """Carries the tenant of the caller to the handler."""

    def enqueue(self, call):
        call.headers["tenant"] = TENANT.get()

    @contextlib.contextmanager
    def run(self, job):
        token = TENANT.set(job.headers["tenant"])
        try:
            yield
        finally:
            TENANT.reset(token)


class Recorder(honker.Middleware):
    """Records the begin and the end of handlers, and their exceptions."""

    def __init__(self, name="", events=None):
        self.name = name
        self.events = [] if events is None else events

    @contextlib.contextmanager
    def run(self, job):
        self.events.append(f"{self.name}begin")
        try:
            yield
        except BaseException as error:
            self.events.append(f"{self.name}{type(error).__name__}: {str(error).partition(chr(10))[0]}")
            raise
        self.events.append(f"{self.name}end")


def payloads(db):
    return [json.loads(row[0]) for row in ask(db.path, "SELECT payload FROM _honker_live ORDER BY id")]


def headers(db):
    return [payload["__honker_task__"].get("headers") for payload in payloads(db)]


# ------------------------------------------------------------------------------------------------------------ enqueuing


def test_headers_travel_with_the_job_as_readable_json(db, middleware):
    middleware.append(Tenancy())

    @db.task("q", name="send")
    def send(x): ...

    token = TENANT.set("acme")
    send(1)
    TENANT.reset(token)
    assert payloads(db) == [
        {"__honker_task__": {"task": "send", "args": [1], "kwargs": {}, "headers": {"tenant": "acme"}}}
    ]
    (job,) = db.queue("q").claim_batch("w", 1)
    assert job.headers == {"tenant": "acme"}
    with pytest.raises(TypeError):
        job.headers["tenant"] = "other"


def test_without_middleware_the_payload_is_that_of_the_reference(db):
    @db.task("q", name="send")
    def send(x): ...

    send(1)
    assert payloads(db) == [{"__honker_task__": {"task": "send", "args": [1], "kwargs": {}}}]
    (job,) = db.queue("q").claim_batch("w", 1)
    assert job.headers == {}


@pytest.mark.parametrize("payload", [{"a": 1}, [1], None, {"__honker_task__": 3}, {"__honker_task__": {"headers": 3}}])
def test_a_payload_that_is_no_call_has_no_headers(db, payload):
    queue = db.queue("q")
    queue.enqueue(payload)
    (job,) = queue.claim_batch("w", 1)
    assert job.headers == {}


def test_every_way_to_enqueue_a_call_asks_the_middleware(db, middleware):
    seen = []

    class Numbering(honker.Middleware):
        def enqueue(self, call):
            seen.append((call.task, call.queue, list(call.args), dict(call.kwargs)))
            call.headers["number"] = len(seen)

    middleware.append(Numbering())

    @db.task("q", name="add")
    def add(a, b=0):
        return a + b

    add(1)
    add.enqueue_with(priority=2)(2)
    asyncio.run(add.aenqueue(3, b=4))
    with db.transaction() as tx:
        add.enqueue_with(tx=tx)(5)
    add.enqueue_with(unique_key="k")(6)
    add.map([7, 8])
    honker.chain(add.s(9), add.s()).enqueue()
    add.s(10).enqueue()
    assert sorted(each["number"] for each in headers(db)) == list(range(1, 11))
    assert [args for _, _, args, _ in seen] == [[1], [2], [3], [5], [6], [7], [8], [9], [], [10]]
    assert seen[2] == ("add", "q", [3], {"b": 4})


def test_an_exception_of_the_middleware_refuses_the_call(db, middleware):
    class Refusing(honker.Middleware):
        def enqueue(self, call):
            if call.args == (2,):
                raise PermissionError("not for this tenant")

    middleware.append(Refusing())

    @db.task("q")
    def send(x): ...

    for enqueue in (
        lambda: send(2),
        lambda: asyncio.run(send.aenqueue(2)),
        lambda: send.map([1, 2]),
        lambda: honker.group(send.s(1), send.s(2)).enqueue(),
    ):
        with pytest.raises(PermissionError, match="not for this tenant"):
            enqueue()
    assert live(db.path) == []
    send(1)
    assert len(live(db.path)) == 1


def test_headers_that_json_cannot_carry_refuse_the_call(db, middleware):
    class Wrong(honker.Middleware):
        def enqueue(self, call):
            call.headers["socket"] = object()

    middleware.append(Wrong())

    @db.task("q")
    def send(): ...

    with pytest.raises(honker.errors.InvalidPayloadError):
        send()
    assert live(db.path) == []


# -------------------------------------------------------------------------------------------------------------- running


def test_a_context_variable_of_the_middleware_is_seen_by_handlers_in_threads_and_on_the_loop(db, middleware):
    middleware.append(Tenancy())

    @db.task("q")
    def in_thread():
        return TENANT.get()

    @db.task("q")
    async def on_loop():
        await asyncio.sleep(0)
        return TENANT.get()

    @db.task("q")
    async def in_a_thread_of_its_own():
        return await asyncio.to_thread(TENANT.get)

    token = TENANT.set("acme")
    results = [in_thread(), on_loop(), in_a_thread_of_its_own()]
    TENANT.reset(token)
    assert [run_for(db, result) for result in results] == ["acme"] * 3


def test_a_handler_that_returns_an_awaitable_awaits_within_the_middleware(db, middleware):
    middleware.append(Tenancy())

    async def read():
        return TENANT.get()

    @db.task("q")
    def returns_awaitable():
        return read()

    token = TENANT.set("acme")
    result = returns_awaitable()
    TENANT.reset(token)
    assert run_for(db, result) == "acme"


def test_the_first_middleware_is_the_outermost(db, middleware):
    events = []
    middleware += [Recorder("outer ", events), Recorder("inner ", events)]

    @db.task("q")
    def work():
        events.append("work")

    run_for(db, work())
    assert events == ["outer begin", "inner begin", "work", "inner end", "outer end"]


@pytest.mark.parametrize("kind", ["thread", "loop"])
def test_the_exception_of_a_handler_is_seen_and_stays_the_failure(db, middleware, kind):
    recorder = Recorder()
    middleware.append(recorder)

    def fail():
        raise LookupError("no such order")

    async def afail():
        fail()

    task = db.task("q", max_attempts=1)(fail if kind == "thread" else afail)
    task()
    run_until(db, lambda: dead(db.path))
    assert recorder.events == ["begin", "LookupError: no such order"]
    assert dead(db.path)[0][1].startswith("no such order\n")


@pytest.mark.parametrize("kind", ["thread", "loop"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_an_exception_of_the_middleware_is_the_failure_of_the_attempt(db, middleware, kind, place):
    ran = []

    class Failing(honker.Middleware):
        @contextlib.contextmanager
        def run(self, job):
            if place == "before":
                raise ConnectionError("no broker")
            yield
            raise ConnectionError("no broker")

    middleware.append(Failing())

    def work():
        ran.append(1)

    async def awork():
        ran.append(1)

    task = db.task("q", max_attempts=1)(work if kind == "thread" else awork)
    task()
    run_until(db, lambda: dead(db.path))
    assert dead(db.path)[0][0] == 1
    assert dead(db.path)[0][1].startswith("no broker\n")
    assert ran == ([] if place == "before" else [1])


def test_middleware_may_snooze_a_job_before_its_handler(db, middleware):
    class Busy(honker.Middleware):
        def run(self, job):
            raise honker.Snooze(3600)

    middleware.append(Busy())

    @db.task("q")
    def work():
        raise AssertionError("it must not run")

    work()
    run_until(db, lambda: db.queue("q").next_claim_at() > db.engine.clock() + 3000)
    assert live(db.path) == [("pending", 0, None)]


def test_a_swallowed_exception_is_a_success_without_a_result(db, middleware):
    class Swallowing(honker.Middleware):
        def run(self, job):
            return contextlib.suppress(LookupError)

    middleware.append(Swallowing())

    @db.task("q")
    def in_thread():
        raise LookupError

    @db.task("q")
    async def on_loop():
        raise LookupError

    assert run_for(db, in_thread()) is None
    assert run_for(db, on_loop()) is None
    assert dead(db.path) == []


def test_a_swallowed_cancellation_gives_the_job_back_when_the_worker_stops(db, middleware):
    """The handler has not done its work; a success would lose the job."""

    class Swallowing(honker.Middleware):
        def run(self, job):
            return contextlib.suppress(BaseException)

    middleware.append(Swallowing())
    stop = asyncio.Event()

    @db.task("q")
    async def work():
        stop.set()
        await asyncio.Event().wait()

    work()
    asyncio.run(honker.Worker(db.queue("q"), grace_s=0).run(stop))
    assert live(db.path) == [("pending", 0, None)]


def test_a_swallowed_time_limit_is_a_failure(db, middleware):
    class Swallowing(honker.Middleware):
        def run(self, job):
            return contextlib.suppress(BaseException)

    middleware.append(Swallowing())

    @db.task("q", timeout_s=0.01, max_attempts=1)
    async def work():
        await asyncio.Event().wait()

    work()
    run_until(db, lambda: dead(db.path))
    assert dead(db.path)[0][1].startswith("timeout after")


def test_a_failure_after_the_handler_rolls_its_transaction_back(db, middleware):
    with db.transaction() as tx:
        tx.execute("CREATE TABLE orders (id INTEGER)")

    class Failing(honker.Middleware):
        @contextlib.contextmanager
        def run(self, job):
            yield
            raise ConnectionError("no broker")

    middleware.append(Failing())

    @db.task("q", max_attempts=1)
    def write(tx: honker.Transaction):
        tx.execute("INSERT INTO orders VALUES (1)")

    write()
    run_until(db, lambda: dead(db.path))
    assert ask(db.path, "SELECT count(*) FROM orders") == [(0,)]


def test_the_async_form_goes_around_coroutines_only(db, middleware):
    events = []

    class Both(honker.Middleware):
        @contextlib.contextmanager
        def run(self, job):
            events.append("run")
            yield

        @contextlib.asynccontextmanager
        async def arun(self, job):
            await asyncio.sleep(0)
            events.append("arun")
            yield

    middleware.append(Both())

    @db.task("q")
    def in_thread(): ...

    @db.task("q")
    async def on_loop(): ...

    run_for(db, in_thread())
    run_for(db, on_loop())
    assert events == ["run", "arun"]


def test_a_timeout_is_seen_by_the_middleware_of_a_coroutine(db, middleware):
    recorder = Recorder()
    middleware.append(recorder)

    @db.task("q", timeout_s=0.05, max_attempts=1)
    async def wait():
        await asyncio.Event().wait()

    wait()
    run_until(db, lambda: dead(db.path))
    assert recorder.events == ["begin", "CancelledError: "]
    assert dead(db.path)[0][1].startswith("timeout after 0.05s")


# ----------------------------------------------------------------------------------------------------- other processes


@pytest.fixture
def process_handlers(monkeypatch):
    """The module whose functions run in other processes, which find it by its name on the path of this one."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("process_handlers")


def process_task(db, fn, **options):
    return db.task("q", executor="process", **options)(fn)


def test_middleware_of_a_handler_in_another_process_runs_in_the_worker(db, middleware, process_handlers):
    recorder = Recorder()
    middleware += [recorder, Tenancy()]
    result = process_task(db, process_handlers.add)(21, 21)
    assert run_for(db, result) == 42
    assert recorder.events == ["begin", "end"]


def test_the_failure_of_another_process_is_seen_and_stays_the_failure(db, middleware, process_handlers):
    recorder = Recorder()
    middleware.append(recorder)
    process_task(db, process_handlers.raise_key_error, max_attempts=1)()
    run_until(db, lambda: dead(db.path))
    ((_, error),) = dead(db.path)
    assert recorder.events == ["begin", f"HandlerProcessError: {error.splitlines()[0]}"]
    assert "process_handlers.py" in error, "the traceback of the other process is kept"
    assert "HandlerProcessError" not in error


def test_an_exception_of_the_middleware_keeps_the_other_process_from_being_called(db, middleware, process_handlers):
    class Failing(honker.Middleware):
        def run(self, job):
            raise ConnectionError("no broker")

    middleware.append(Failing())
    process_task(db, process_handlers.add, max_attempts=1)(1)
    run_until(db, lambda: dead(db.path))
    assert dead(db.path)[0][1].startswith("no broker\n")


def test_a_swallowed_failure_of_another_process_is_a_success(db, middleware, process_handlers):
    class Swallowing(honker.Middleware):
        def run(self, job):
            return contextlib.suppress(honker.errors.HandlerProcessError)

    middleware.append(Swallowing())
    process_task(db, process_handlers.raise_key_error, max_attempts=1)()
    run_until(db, lambda: not live(db.path))
    assert dead(db.path) == []


# ---------------------------------------------------------------------------------------------------------------- apps


def test_the_middleware_of_an_app_is_around_its_tasks_only(db, path):
    recorder = Recorder()
    app = honker.App(path, middleware=[recorder])

    @app.task("of the app")
    def work(): ...

    @db.task("of the handle")
    def other(): ...

    other()
    work()
    with app:
        asyncio.run(app.db.run_workers(burst=True))
        asyncio.run(db.run_workers(burst=True))
    assert recorder.events == ["begin", "end"]


def test_the_middleware_and_hooks_of_a_blueprint_join_its_app(path):
    app, blueprint = honker.App(path), honker.Blueprint()
    events = []
    recorder = blueprint.middleware(Recorder(events=events))
    blueprint.on_start(lambda: events.append("start"))
    blueprint.on_stop(lambda: events.append("stop"))

    @blueprint.task("q")
    def work(): ...

    app.include(blueprint)
    app.include(blueprint)
    app.middleware(Tenancy())
    with app:
        work()
        assert headers(app.db) == [{"tenant": None}]
        asyncio.run(app.db.run_workers(burst=True))
    assert app.registry.middleware[0] is recorder
    assert events == ["start", "begin", "end", "stop"]
