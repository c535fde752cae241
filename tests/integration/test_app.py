"""An app: declared without opening anything, and opened at first use, once in each process."""

import asyncio
import importlib
import sys
import threading

import honker
import pytest
from honker import DatabaseClosedError, InvalidArgumentError, InvalidCallError, QueueConflictError, TaskConflictError
from honker.app.application import PATH_VARIABLE
from honker.database import Database
from honker.postgres.engine import PostgresEngine
from honker.sqlite.engine import SQLiteEngine
from honker.task.message import envelope

from ..support.locking import ask
from ..support.workers import run_for
from . import process_handlers


@pytest.fixture
def app(path):
    made = honker.App(path)
    yield made
    made.close()


@pytest.fixture
def openings(monkeypatch):
    """The paths that engines open, in order."""
    opened = []
    for kind in (SQLiteEngine, PostgresEngine):

        def note(self, path, *args, construct=kind.__init__, **options):
            opened.append(path)
            construct(self, path, *args, **options)

        monkeypatch.setattr(kind, "__init__", note)
    return opened


def payloads(path):
    return [payload for (payload,) in ask(path, "SELECT payload FROM _honker_live ORDER BY id")]


# ------------------------------------------------------------------------------------------------------------- opening


def test_declaring_opens_nothing(app, path, openings):
    app.queue("q", visibility_timeout_s=5, max_attempts=2)
    app.stream("s")
    app.task(print)
    app.task("q", key=lambda: "k", expires_s=5)(len)
    app.periodic_task(honker.crontab("@daily"))(lambda: None)
    app.on_start(print)
    app.db.outbox("o", print)
    assert repr(app) == f"<honker.App {str(path)!r}>"
    assert app.path == app.db.path == str(path)
    app.close()
    assert openings == []


USES = {
    "enqueue": lambda app: app.queue("q").enqueue(1),
    "aenqueue": lambda app: asyncio.run(app.queue("q").aenqueue(1)),
    "claim": lambda app: app.queue("q").claim_one("w"),
    "claim_now": lambda app: app.queue("q").claim_now("w"),
    "stats": lambda app: app.queue("q").stats(),
    "astats": lambda app: asyncio.run(app.queue("q").astats()),
    "publish": lambda app: app.stream("s").publish(1),
    "query": lambda app: app.db.query("SELECT 1"),
    "aquery": lambda app: asyncio.run(app.db.aquery("SELECT 1")),
    "transaction": lambda app: app.db.transaction().__enter__().__exit__(None, None, None),
    "updates": lambda app: app.db.update_events(),
    "listen": lambda app: app.db.listen("c"),
    "alisten": lambda app: asyncio.run(app.db.alisten("c")),
    "is_claimable": lambda app: app.queue("q").is_claimable(),
    "task": lambda app: app.task(print)(1),
    "workflow": lambda app: honker.chain(app.task(print).s(1)).enqueue(),
    "foreign transaction": lambda app: app.queue("q").enqueue(1, tx=app.db.transaction().__enter__()),
}


@pytest.mark.parametrize("name", USES)
def test_each_use_opens_the_database(app, path, openings, name):
    USES[name](app)
    assert openings == [str(path)]


def test_threads_that_race_for_the_first_use_open_it_once(app, path, openings):
    barrier = threading.Barrier(16)

    def use():
        barrier.wait()
        app.queue("q").enqueue(1)

    threads = [threading.Thread(target=use) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert openings == [str(path)]
    assert len(payloads(path)) == 16


def test_an_event_loop_opens_it_in_a_thread(app, monkeypatch):
    opened_in, construct = [], SQLiteEngine.__init__

    def note(self, *args, **options):
        opened_in.append(threading.current_thread())
        construct(self, *args, **options)

    monkeypatch.setattr(SQLiteEngine, "__init__", note)
    asyncio.run(app.queue("q").aenqueue(1))
    assert opened_in != [threading.main_thread()]


def test_a_failed_opening_is_tried_again_at_the_next_use(tmp_path):
    app = honker.App(tmp_path / "folder" / "app.db")
    with pytest.raises(honker.DatabaseError):
        app.queue("q").enqueue(1)
    (tmp_path / "folder").mkdir()
    app.queue("q").enqueue(2)
    assert payloads(app.path) == ["2"]
    app.close()


def test_closing_and_using_it_again_opens_it_again(app, path, openings):
    queue, task = app.queue("q"), app.task("q")(print)
    queue.enqueue(1)
    app.close()
    app.close()
    task(2)
    app.db.close()
    asyncio.run(queue.aenqueue(3))
    assert len(openings) == 3
    assert len(payloads(path)) == 3


def test_a_transaction_that_is_open_while_the_app_is_closed_may_still_end(app, path):
    with app.db.transaction() as tx:
        app.queue("q").enqueue(1, tx=tx)
        app.close()
        app.queue("q").enqueue(2, tx=tx)
    assert payloads(path) == ["1", "2"]


def test_an_iterator_of_a_closed_app_ends(app):
    claims = app.queue("q").claim("w")
    app.close()
    with pytest.raises(DatabaseClosedError):
        next(claims)


def test_blocks_close_it(path, openings):
    with honker.App(path) as app:
        app.queue("q").enqueue(1)

    async def main():
        async with app:
            await app.queue("q").aenqueue(2)

    asyncio.run(main())
    app.queue("q").enqueue(3)
    assert len(openings) == 3
    app.close()


@pytest.mark.sqlite_only("options of a file")
def test_options_are_those_of_open(path):
    with honker.App(path, synchronous="FULL", max_readers=1) as app:
        assert app.db.engine.current.is_commit_slow
        with app.db.transaction() as tx:
            assert tx.query("PRAGMA synchronous")[0]["synchronous"] == 2


def test_an_unknown_option_is_refused_at_once(path):
    with pytest.raises(TypeError, match=r"no option sinchronous.*honker\.open"):
        honker.App(path, sinchronous="FULL")


# ---------------------------------------------------------------------------------------------------------------- path


@pytest.mark.parametrize("bad", [":memory:", "", 5, b"app.db", "file:app.db?nolock=1"])
def test_a_bad_path_is_refused_at_once(bad):
    with pytest.raises((InvalidArgumentError, TypeError)):
        honker.App(bad)


def test_a_relative_path_counts_from_the_directory_of_the_declaration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with honker.App("app.db") as app:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        app.queue("q").enqueue(1)
        assert app.path == str(tmp_path / "app.db")
        assert (tmp_path / "app.db").exists()


def test_without_a_path_the_environment_names_it_at_each_opening(tmp_path, monkeypatch):
    app = honker.App()
    for name in ("one.db", "two.db"):
        monkeypatch.setenv(PATH_VARIABLE, str(tmp_path / name))
        app.queue("q").enqueue(name)
        app.close()
        assert payloads(tmp_path / name) == [f'"{name}"']


def test_without_a_path_and_a_variable_the_first_use_says_so(monkeypatch):
    monkeypatch.delenv(PATH_VARIABLE, raising=False)
    app = honker.App()
    task = app.task(print)
    for use in (lambda: task(1), lambda: app.path, lambda: asyncio.run(task.aenqueue(1))):
        with pytest.raises(InvalidArgumentError, match=r"pass a path.*or set HONKER_DATABASE"):
            use()
    assert "without a path" in repr(app)


# --------------------------------------------------------------------------------------------------------------- using


def test_using_points_everything_that_was_handed_out_at_another_file(app, path, tmp_path):
    other = tmp_path / "test.db"
    queue, task, stream, db = app.queue("q"), app.task("q")(print), app.stream("s"), app.db
    queue.enqueue("before")
    with app.using(other) as same:
        assert same is app
        assert app.path == db.path == str(other)
        queue.enqueue("inside")
        task("inside")
        stream.publish("inside")
        assert queue.stats().ready == 2
        assert app.queue("q") is queue
    queue.enqueue("after")
    assert app.path == str(path)
    assert payloads(path) == ['"before"', '"after"']
    assert len(payloads(other)) == 2
    assert stream.read_since(0) == []


def test_objects_that_were_handed_out_in_a_block_of_using_follow_the_app_after_it(app, path, tmp_path):
    with app.using(tmp_path / "test.db"):
        queue, task = app.queue("new"), app.task("new")(print)
        task(1)
    queue.enqueue(2)
    assert payloads(path) == ["2"]


def test_a_block_of_using_keeps_its_file_when_an_earlier_one_of_another_thread_ends(app, path, tmp_path):
    queue = app.queue("q")
    earlier, later = app.using(tmp_path / "one.db"), app.using(tmp_path / "two.db")
    with app.using(tmp_path / "outer.db"):
        earlier.__enter__()
        queue.enqueue("one")
        later.__enter__()
        queue.enqueue("two")
        earlier.__exit__(None, None, None)
        queue.enqueue("two")
        later.__exit__(None, None, None)
        queue.enqueue("outer")
    queue.enqueue("app")
    assert payloads(path) == ['"app"']
    assert payloads(tmp_path / "outer.db") == ['"outer"']
    assert payloads(tmp_path / "one.db") == ['"one"']
    assert payloads(tmp_path / "two.db") == ['"two"'] * 2


@pytest.mark.sqlite_only("files")
def test_blocks_of_using_may_be_nested_and_one_that_fails_ends_too(app, path, tmp_path):
    queue = app.queue("q")
    with app.using(tmp_path / "one.db"):
        with pytest.raises(ZeroDivisionError), app.using(tmp_path / "two.db"):  # noqa: PT012
            queue.enqueue(2)
            raise ZeroDivisionError
        queue.enqueue(1)
    queue.enqueue(0)
    assert [payloads(tmp_path / name) for name in ("app.db", "one.db", "two.db")] == [["0"], ["1"], ["2"]]


def test_using_holds_for_other_threads(app, path, tmp_path):
    with app.using(tmp_path / "test.db"):
        thread = threading.Thread(target=lambda: app.queue("q").enqueue(1))
        thread.start()
        thread.join()
    assert payloads(tmp_path / "test.db") == ["1"]
    assert app.queue("q").claim_one("w") is None


def test_using_closes_its_file_and_leaves_the_one_of_the_app_open(app, tmp_path, openings):
    app.queue("q").enqueue(1)
    engine = app.db.engine.current
    with app.using(tmp_path / "test.db"):
        app.queue("q").enqueue(1)
        inner = app.db.engine.current
        app.close()
        app.queue("q").enqueue(2)
        last = app.db.engine.current
    assert inner.is_closed
    assert last.is_closed
    assert app.db.engine.current is engine
    assert not engine.is_closed
    assert not (tmp_path / "test.db-wal").exists()


def test_using_refuses_a_bad_path(app):
    with pytest.raises(InvalidArgumentError), app.using(":memory:"):
        pass


# --------------------------------------------------------------------------------------------------------------- tasks


def test_tasks_of_an_app_are_in_its_registry_only(app, path, tmp_path):
    @app.task(queue="emails", name="send", max_attempts=7)
    def send(to: str) -> None: ...

    other = honker.App(tmp_path / "other.db")
    other.task(name="send")(print)
    assert app.registry.names() == ["send"]
    assert app.registry.get("send").retries == 7
    assert app.registry.queues() == {"emails"}
    assert honker.registry().names() == []
    send("alice")
    assert "alice" in app.queue("emails").claim_one("w").payload["__honker_task__"]["args"]


def test_a_name_is_taken_once_in_an_app(app):
    app.task(name="t")(print)
    with pytest.raises(TaskConflictError, match="duplicate task name 't'"):
        app.task(name="t")(len)


def test_one_function_may_be_a_task_of_two_queues_and_both_are_served(app):
    ran = []

    def note(queue):
        ran.append(queue)

    low, high = app.task("low")(note), app.task("high")(note)
    run_for(app.db, honker.chain(low.si("low"), high.si("high")).enqueue())
    assert ran == ["low", "high"]


def test_workers_run_the_tasks_of_the_app(app):
    @app.task
    def double(number):
        return 2 * number

    assert run_for(app.db, double(21)) == 42


def test_workers_run_them_in_the_file_that_the_app_uses(app, path, tmp_path, openings):
    double = app.task(lambda number: 2 * number)
    with app.using(tmp_path / "test.db"):
        assert run_for(app.db, double(21)) == 42
    assert str(path) not in openings


def test_workers_call_a_handler_in_a_process_of_its_own(app):
    add = app.task(executor="process")(process_handlers.add)
    assert run_for(app.db, add(1, 2)) == 3


def test_a_task_may_take_its_job_and_a_transaction(app):
    @app.task
    def handle(job: honker.Job, tx: honker.Transaction, number: int) -> list[int]:
        tx.execute("CREATE TABLE handled (number INTEGER)")
        return [job.attempts, number]

    assert run_for(app.db, handle(5)) == [1, 5]
    assert app.db.query("SELECT count(*) AS n FROM handled") == [{"n": 0}]


def test_an_app_without_tasks_has_no_workers(app):
    with pytest.raises(honker.NoTasksError):
        asyncio.run(honker.run_workers(app.db))


def test_periodic_tasks_are_written_by_their_schedulers(app):
    @app.periodic_task(honker.crontab("0 3 * * *"), queue="nightly", misfire="skip", max_attempts=2)
    def report(): ...

    assert honker.register_schedules(app.db) == [report.name]
    (schedule,) = honker.Scheduler(app.db).list()
    assert (schedule.queue, schedule.misfire, schedule.max_attempts) == ("nightly", "skip", 2)


def test_workers_import_the_modules_that_the_app_names(tmp_path, monkeypatch):
    (tmp_path / "shop_app.py").write_text("import honker\napp = honker.App('shop.db', imports=['shop_tasks'])\n")
    (tmp_path / "shop_tasks.py").write_text(
        "from shop_app import app\n\n@app.task\ndef double(number):\n    return 2 * number\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("shop_app", "shop_tasks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    app = importlib.import_module("shop_app").app
    result = honker.TaskResult(app.db.engine, app.queue("default").enqueue(envelope("shop_tasks.double", (21,))))
    assert app.registry.names() == []
    assert run_for(app.db, result) == 42
    app.close()


def test_the_app_forwards_what_concerns_its_workers_to_the_registry(path):
    app = honker.App(path, imports=["one"], codec="a codec", middleware=["first"])

    @app.middleware
    def second(): ...

    @app.on_start
    def start(): ...

    @app.on_stop
    def stop(): ...

    tasks = app.registry
    assert (tasks.imports, tasks.codec, tasks.middleware) == (["one"], "a codec", ["first", second])
    assert (tasks.on_start, tasks.on_stop) == ([start], [stop])


# ---------------------------------------------------------------------------------------------------------- blueprints


def test_a_blueprint_adds_its_tasks_and_queues_to_an_app(app):
    blueprint = honker.Blueprint()
    queue = blueprint.queue("reports", visibility_timeout_s=5)

    @blueprint.task(queue="reports")
    def double(number):
        return 2 * number

    app.include(blueprint)
    app.include(blueprint)
    assert app.registry.names() == [double.name]
    assert app.queue("reports") is queue
    assert run_for(app.db, double(21)) == 42


def test_declarations_after_the_inclusion_count_too(app):
    blueprint = honker.Blueprint()
    app.include(blueprint)
    double = blueprint.task("late", name="double")(lambda number: 2 * number)
    blueprint.queue("later", max_attempts=9)
    blueprint.on_start(print)
    assert app.registry.names() == ["double"]
    assert app.registry.on_start == [print]
    assert app.queue("later").max_attempts == 9
    assert run_for(app.db, double(21)) == 42


def test_a_blueprint_without_an_app_cannot_be_used(app):
    blueprint = honker.Blueprint()
    task = blueprint.task(print)
    for use in (lambda: task(1), lambda: blueprint.queue("q").stats(), lambda: asyncio.run(task.aenqueue(1))):
        with pytest.raises(InvalidCallError, match=r"app\.include\(blueprint\)"):
            use()
    app.include(blueprint)
    task(1)


def test_a_blueprint_belongs_to_one_app(app, tmp_path):
    blueprint = honker.Blueprint()
    app.include(blueprint)
    with pytest.raises(InvalidArgumentError, match=r"is part of <honker\.App"):
        honker.App(tmp_path / "other.db").include(blueprint)


def test_a_blueprint_takes_the_options_of_the_apps_queue_unless_it_has_its_own(app):
    app.queue("q", visibility_timeout_s=5)
    blueprint = honker.Blueprint()
    queue = blueprint.queue("q")
    app.include(blueprint)
    assert queue.visibility_timeout_s == 5
    other = honker.Blueprint()
    other.queue("q", visibility_timeout_s=6)
    with pytest.raises(QueueConflictError):
        app.include(other)


def test_a_blueprint_that_is_refused_leaves_nothing_behind(app):
    reports = honker.Blueprint()
    reports.registry.imports.append("json")
    reports.middleware(honker.Middleware())
    reports.task(queue="reports", name="fine")(lambda: None)
    reports.task(queue="reports", name="taken")(lambda: None)
    app.task(queue="emails", name="taken")(lambda: None)
    for _ in range(2):
        with pytest.raises(TaskConflictError, match="taken"):
            app.include(reports)
    assert (app.registry.names(), app.registry.imports, app.registry.middleware) == (["taken"], [], [])
    assert app.queue("reports") is not reports.queue("reports")


def test_a_blueprint_uses_the_file_that_the_app_uses(app, path, tmp_path):
    blueprint = honker.Blueprint()
    task = blueprint.task("q")(print)
    app.include(blueprint)
    with app.using(tmp_path / "test.db"):
        task(1)
        assert blueprint.db.path == str(tmp_path / "test.db")
    assert app.queue("q").claim_one("w") is None


def test_a_name_that_two_blueprints_use_is_refused(app):
    for function, refused in ((print, False), (len, True)):
        blueprint = honker.Blueprint()
        blueprint.task(name="same")(function)
        if refused:
            with pytest.raises(TaskConflictError):
                app.include(blueprint)
        else:
            app.include(blueprint)


# -------------------------------------------------------------------------------------------------------------- handle


def test_a_handle_of_open_keeps_the_tasks_of_the_process(db):
    assert isinstance(db, Database)
    assert db.registry is honker.registry()
    db.task("q", name="t")(print)
    assert honker.registry().specs()[0].path == db.engine.identity
