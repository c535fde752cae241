"""A Django project under its servers, with workers in other processes: nothing is lost, and nothing runs twice.

A request commits an order and its job together. The task adds one row a run, so the rows of an order count its runs.
"""

import os
import shutil
import signal
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from tests.apps.django_project import Project, Site, free_port
from tests.support.waiting import wait_until

pytest.importorskip("django")


@pytest.fixture(scope="module")
def migrated(request, tmp_path_factory):
    """Make a project on an engine whose database is migrated; the same one each time."""
    made = {}

    def project(engine):
        if engine not in made:
            server = request.getfixturevalue("server") if engine == "postgres" else None
            made[engine] = project = Project(tmp_path_factory.mktemp("django") / "shop", server)
            project.environment["SHOP_CONN_MAX_AGE"] = "60"
            project.manage("migrate", "--verbosity", 0)
            if server is None:
                shutil.move(project.folder / "shop.sqlite3", project.folder / "migrated.sqlite3")
        return made[engine]

    return project


@pytest.fixture
def project(migrated, engine):
    """The project without orders and jobs, on each engine."""
    project = migrated(engine)
    if engine == "postgres":
        empty(project)
        yield project
        return
    for file in project.folder.glob("shop.sqlite3*"):
        file.unlink()
    shutil.copy(project.folder / "migrated.sqlite3", project.folder / "shop.sqlite3")
    yield project
    assert project.ask("PRAGMA integrity_check") == [("ok",)]


def empty(project):
    with psycopg.connect(project.url, autocommit=True) as conn:
        rows = conn.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname = 'honker' AND tablename NOT IN ('installation', 'meta')"
        ).fetchall()
        tables = [name for (name,) in rows] + ["orders_order", "orders_confirmation"]
        conn.execute(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY")


def runs(project):
    """The number of runs of the task for each order."""
    return dict(
        project.ask(
            "SELECT o.id, count(c.id) FROM orders_order o LEFT JOIN orders_confirmation c ON c.order_id = o.id "
            "GROUP BY o.id",
        )
    )


def all_confirmed(project, count):
    found = runs(project)
    return len(found) == count and all(found.values())


@contextmanager
def edited(file, old, new):
    """Change a file of the project for the length of the block."""
    source = file.read_text()
    assert old in source
    file.write_text(source.replace(old, new))
    try:
        yield
    finally:
        file.write_text(source)


def send_orders(site, count, **form):
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: site.order(**form), range(count)))


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["fork", "preload"])
def test_gunicorn_and_workers_that_are_stopped_lose_and_double_nothing(project, preload):
    pytest.importorskip("gunicorn")
    port = free_port()
    site = Site(port)
    with ExitStack() as stack:
        serve = ["-m", "gunicorn", "shop.wsgi", "--workers", 2, "--bind", f"127.0.0.1:{port}", *preload]
        server = stack.enter_context(project.started(*serve))
        first, second = (stack.enter_context(project.started("manage.py", "honker_worker")) for _ in range(2))
        for each in (first, second):
            each.expect("queues=default,emails,reports,slow")
        wait_until(lambda: site.get("/version/"), 40)

        assert send_orders(site, 20, pause=0.05) == [200] * 20
        assert send_orders(site, 4, fails="yes") == [500] * 4
        wait_until(lambda: any(runs(project).values()), 40)
        first.stop()  # while jobs run
        assert send_orders(site, 10) == [200] * 10
        wait_until(lambda: all_confirmed(project, 30), 40)
        second.stop()
        server.send()
        assert server.end() == 0, server.output
        assert server.output.count("Traceback") == 4, server.output
    assert set(runs(project).values()) == {1}
    assert project.ask("SELECT count(*) FROM _honker_jobs") == [(0,)]


def test_a_killed_worker_loses_nothing_and_doubles_only_what_it_ran(project):
    code = (
        "from orders.models import Order; from orders.tasks import send_confirmation; "
        "[send_confirmation(Order.objects.create(customer='a').pk, pause_s=0.2) for _ in range(12)]"
    )
    project.shell(code)
    with project.started("manage.py", "honker_worker", "--concurrency", 3) as killed:
        wait_until(lambda: sum(runs(project).values()) >= 3, 40)
        killed.kill()
    before = runs(project)
    with project.started("manage.py", "honker_worker", "--concurrency", 3) as worker:
        wait_until(lambda: all_confirmed(project, 12), 40)
        wait_until(lambda: project.ask("SELECT count(*) FROM _honker_jobs WHERE queue = 'emails'") == [(0,)], 40)
        worker.stop()
    found = runs(project)
    assert sum(before.values()) < 12
    doubled = [order for order, count in found.items() if count > 1]
    assert len(doubled) <= 3
    assert set(found.values()) <= {1, 2}


def touched(file):
    """Make a file newer than the reloader knows it, now and then: its first look may come after the first change."""
    if time.time() > file.stat().st_mtime + 5:
        os.utime(file, (time.time() + 1, time.time() + 1))
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_runserver_reloads_and_stops(project, number):
    port = free_port()
    site = Site(port)
    with project.started("manage.py", "runserver", port) as server:
        wait_until(lambda: site.get("/version/") == "version 1", 40)
        assert site.order() == 200
        assert site.order(fails="yes") == 500
        views = project.folder / "orders" / "views.py"
        with edited(views, "version 1", "version 2"):
            wait_until(lambda: touched(views) and site.get("/version/") == "version 2", 40)
            assert site.order() == 200
            server.send(number, is_group=True)
            assert server.end() == 0, server.output
    assert project.ask("SELECT count(*) FROM _honker_jobs WHERE queue = 'emails'") == [(2,)]
    assert len(runs(project)) == 2


def test_the_scheduler_fires_periodic_tasks(project):
    tasks = project.folder / "orders" / "tasks.py"
    with (
        edited(tasks, 'honker.crontab("0 3 * * *")', "honker.every_s(1)"),
        project.started("manage.py", "honker_scheduler") as leader,
    ):
        leader.expect("leading; 1 schedule")
        with project.started("manage.py", "honker_scheduler") as follower:
            follower.expect("standing by")
            wait_until(lambda: project.ask("SELECT count(*) FROM _honker_jobs WHERE queue = 'reports'") != [(0,)], 40)
            leader.stop()
            follower.expect("leading; 1 schedule")
            follower.stop()


def test_the_worker_runs_the_tasks_of_django(project):
    code = """
        from orders import mails
        results = [mails.add.enqueue(1, b=2), mails.add_later.enqueue(3, 4), mails.give_up.enqueue()]
        while not all(each.is_finished for each in results):
            [each.refresh() for each in results]
        print([str(each.status) for each in results], [each.return_value for each in results[:2]])
        print({each.worker_ids[0].split("-")[2] for each in results})
    """
    with project.started("manage.py", "honker_worker") as worker:
        statuses, pids = project.shell(textwrap.dedent(code)).splitlines()
        assert statuses == "['SUCCESSFUL', 'SUCCESSFUL', 'FAILED'] [3, 7]"
        assert pids == repr({str(worker.process.pid)})
        worker.send()
        assert worker.end() == 0, worker.output
    assert project.ask("SELECT customer FROM orders_order") == [("async",)]


def test_the_worker_reloads(project):
    pytest.importorskip("watchfiles")
    tasks = project.folder / "orders" / "tasks.py"
    code = """
        from orders.models import Order
        from orders.tasks import send_confirmation
        print(send_confirmation(Order.objects.create(customer="alice").pk).get(timeout=30))
    """
    with project.started("manage.py", "honker_worker", "--reload", "--queue", "emails") as worker:
        worker.expect("queues=emails concurrency")
        with edited(tasks, "order.customer", "order.customer.upper()"):
            worker.expect("reloading; changed: orders/tasks.py")
            worker.expect("queues=emails concurrency", 2)
            assert project.shell(textwrap.dedent(code)) == "ALICE"
            worker.stop()


def test_the_worker_ends_when_nothing_is_due(project):
    project.shell("from orders import mails; mails.add.enqueue(1)")
    assert "1 attempt: 1 done" in project.manage("honker_worker", "--burst")


def test_the_worker_refuses_a_queue_without_tasks(project):
    ended = project.run("manage.py", "honker_worker", "--queue", "nothing")
    assert ended.returncode == 1
    assert "no task uses the queue 'nothing'; the queues with tasks are default, emails, reports, slow" in ended.stdout


def test_the_worker_takes_the_options_of_its_command(project):
    assert "orders.tasks.send_confirmation" in project.manage("honker_worker", "--list")
    assert '"queue": "emails"' in project.manage("honker_worker", "--list", "--json", "--queue", "emails")
    ended = project.run("manage.py", "honker_worker", "--concurrency", "0")
    assert ended.returncode == 2
    assert "--concurrency" in ended.stdout
