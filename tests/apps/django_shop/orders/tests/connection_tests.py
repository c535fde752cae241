"""Calls of honker on Django's own connection."""

import asyncio
import threading

import django.db
import honker
import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.management import call_command
from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings
from honker.contrib.django import app, schema
from honker.contrib.django.checks import check_settings
from honker.contrib.django.testing import drain
from honker.testing import assert_enqueued, clock, perform, refute_enqueued

from orders.models import Order
from orders.tasks import send_confirmation
from orders.tests.databases import IS_SQLITE, in_memory, placed, shared, sqlite_only, without_pool
from orders.tests.rollbacks import rolled_back


@pytest.fixture
def worker(monkeypatch):
    """Let this process be a worker, as the command does."""
    monkeypatch.setattr(app.db.engine, "is_worker", True)
    yield
    app.close()


def ready(queue="emails"):
    return app.queue(queue).stats().ready


@pytest.mark.django_db
def test_a_savepoint_that_rolls_back_takes_its_jobs_with_it():
    with transaction.atomic():
        send_confirmation(1)
        with rolled_back():
            send_confirmation(2)
        assert ready() == 1
    assert ready() == 1


@pytest.mark.django_db
def test_everything_else_is_part_of_the_block_too():
    with rolled_back():
        app.stream("orders").publish({"order": 1})
        app.db.notify("orders", 1)
        app.queue("emails").enqueue_many([1, 2])
        assert app.queue("emails").stats().ready == 2
    assert app.db.stats() == []
    assert app.stream("orders").read_since(0) == []


@pytest.mark.django_db
def test_the_connection_of_django_is_accepted_as_tx():
    with transaction.atomic():
        send_confirmation.enqueue_with(tx=connection)(1)
        send_confirmation.enqueue_with(tx=django.db.connections["default"])(1)
    assert ready() == 2


@pytest.mark.django_db(transaction=True)
def test_tx_needs_an_open_transaction():
    with pytest.raises(honker.InvalidArgumentError, match=r"outside of transaction.atomic\(\)"):
        send_confirmation.enqueue_with(tx=connection)(1)
    assert ready() == 0


@pytest.mark.django_db(transaction=True)
def test_a_manual_transaction_holds_the_job_too():
    connection.set_autocommit(False)
    try:
        send_confirmation(1)
        assert ready() == 1
        connection.rollback()
        assert ready() == 0
    finally:
        connection.rollback()
        connection.set_autocommit(True)


@pytest.mark.django_db
def test_a_block_that_must_roll_back_is_refused():
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(transaction.TransactionManagementError):
            send_confirmation(1)


@pytest.mark.django_db
def test_the_errors_are_those_of_honker():
    with pytest.raises(honker.InvalidArgumentError, match="key"), transaction.atomic():
        app.queue("emails").enqueue({}, key="")
    words = "no such table" if IS_SQLITE else 'relation "missing" does not exist'
    with pytest.raises(honker.DatabaseError, match=words), transaction.atomic():
        app.db.query("SELECT * FROM missing")


@pytest.mark.django_db
def test_a_query_takes_the_placeholders_of_the_database():
    Order.objects.create(customer="100%")
    sql = placed("SELECT customer FROM orders_order WHERE customer LIKE '%0%' AND id > ?")
    assert app.db.query(sql, [0]) == [{"customer": "100%"}]
    assert app.db.query("SELECT customer FROM orders_order WHERE customer LIKE '%0%'") == [{"customer": "100%"}]


@pytest.mark.django_db
def test_waiting_in_a_block_is_refused_and_a_result_that_is_there_is_returned():
    order = Order.objects.create(customer="alice")
    result = send_confirmation(order.pk)
    with pytest.raises(honker.errors.DeadlockError, match="wait after the block"):
        result.get(timeout=30)
    drain()
    assert result.get(timeout=30) == "alice"


@pytest.mark.django_db
def test_a_transaction_of_honker_is_a_block_of_django():
    with app.db.transaction() as tx:
        tx.execute(placed("INSERT INTO orders_order (customer, is_confirmed) VALUES (?, false)"), ["alice"])
        tx.notify("orders", 1)
        send_confirmation.enqueue_with(tx=tx)(1)
        assert tx.query("SELECT customer FROM orders_order") == [{"customer": "alice"}]
        with pytest.raises(honker.errors.UnexpectedRowsError):
            tx.execute("SELECT 1")
    assert Order.objects.get().customer == "alice"

    def fail():
        with app.db.transaction():
            Order.objects.create(customer="bob")
            send_confirmation(2)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert Order.objects.count() == ready() == 1
    with pytest.raises(honker.errors.TransactionNotStartedError):
        send_confirmation.enqueue_with(tx=tx)(1)


@pytest.mark.django_db
def test_a_workflow_is_part_of_the_block():
    with rolled_back():
        honker.chain(send_confirmation.si(1), send_confirmation.si(2)).enqueue()
        assert app.queue("emails").stats().waiting == 1
    assert app.db.stats() == []
    order = Order.objects.create(customer="alice")
    result = honker.chain(send_confirmation.si(order.pk), send_confirmation.si(order.pk)).enqueue()
    assert drain().done == 2
    assert result.get(timeout=1) == "alice"


@pytest.mark.django_db(transaction=True)
def test_coroutines_use_the_connection_of_sync_to_async():
    async def go():
        result = await send_confirmation.aenqueue(1)
        with pytest.raises(django.core.exceptions.SynchronousOnlyOperation, match=r"await task\.aenqueue"):
            send_confirmation(2)
        return await app.db.aget_job(result.id)

    assert async_to_sync(go)().state == "pending"
    assert ready() == 1


@pytest.mark.django_db(transaction=True)
def test_a_call_in_a_block_around_a_coroutine_is_part_of_the_block():
    async def go():
        await send_confirmation.aenqueue(1)

    with rolled_back():
        async_to_sync(go)()
        assert ready() == 1
    assert ready() == 0


@shared
@pytest.mark.django_db(transaction=True)
def test_a_worker_runs_committed_jobs_and_its_caller_waits(worker):
    order = Order.objects.create(customer="alice")
    result = send_confirmation(order.pk)

    async def work():
        stop = asyncio.Event()
        running = asyncio.ensure_future(app.db.run_workers("emails", 1, stop))
        value = await result.aget(timeout=20)
        stop.set()
        await running
        return value

    assert asyncio.run(work()) == "alice"
    assert result.get() == "alice"
    order.refresh_from_db()
    assert order.is_confirmed


@shared
@without_pool
@pytest.mark.django_db(transaction=True)
def test_a_task_closes_the_connections_that_it_opened(worker):
    seen = []

    @app.task(queue="closing", name="look")
    def look():
        Order.objects.count()
        seen.append(connection.connection)

    result = look()

    async def work():
        stop = asyncio.Event()
        running = asyncio.ensure_future(app.db.run_workers("closing", 1, stop))
        await result.aget(timeout=20)
        stop.set()
        await running

    try:
        asyncio.run(asyncio.wait_for(work(), 30))
        with pytest.raises(Exception, match="closed database" if IS_SQLITE else "connection is closed"):
            seen[0].execute("SELECT 1")
    finally:
        app.registry._by_name.pop("look")


def booking(**options):
    """A task that commits its rows together with the end of its job."""

    @app.task(queue="bookings", name="book", **options)
    def book(job: honker.Job, order_id: int, fails: bool = False) -> None:
        with transaction.atomic():
            Order.objects.filter(pk=order_id).update(is_confirmed=True)
            assert job.ack()
            if fails:
                raise ValueError("refused")

    return book


@pytest.mark.django_db(transaction=True)
def test_an_ack_in_a_block_commits_with_its_rows(caplog):
    book = booking()
    order = Order.objects.create(customer="alice")
    try:
        book(order.pk, fails=True)
        with pytest.raises(ValueError, match="refused"):
            drain()
        order.refresh_from_db()
        assert not order.is_confirmed
        assert app.queue("bookings").stats().delayed == 1
        book(order.pk)
        drain()
        order.refresh_from_db()
        assert order.is_confirmed
        assert app.queue("bookings").stats().ready == 0
    finally:
        app.registry._by_name.pop("book")


@shared
@pytest.mark.django_db(transaction=True)
def test_a_worker_accepts_a_job_that_its_handler_has_acknowledged(worker, caplog):
    book = booking()
    order = Order.objects.create(customer="alice")
    book(order.pk)

    async def work():
        stop = asyncio.Event()
        running = asyncio.ensure_future(app.db.run_workers("bookings", 1, stop))
        while not await Order.objects.filter(is_confirmed=True).aexists():
            await asyncio.sleep(0.01)
        stop.set()
        await running
        await sync_to_async(lambda: connection.close())()  # noqa: PLW0108 - that of the thread of the queries above

    try:
        asyncio.run(asyncio.wait_for(work(), 30))
        assert [each.getMessage() for each in caplog.records if each.levelname != "DEBUG"] == []
    finally:
        app.registry._by_name.pop("book")


@in_memory
@pytest.mark.django_db(transaction=True)
def test_a_worker_on_a_database_in_memory_says_what_to_set(worker):
    with pytest.raises(honker.InvalidArgumentError, match='"TEST"'):
        asyncio.run(app.db.run_workers("emails"))


@shared
@pytest.mark.django_db(transaction=True)
def test_threads_enqueue_beside_each_other():
    def enqueue():
        try:
            for _ in range(20):
                with transaction.atomic():
                    Order.objects.create(customer="a")
                    send_confirmation(1)
        finally:
            connection.close()

    threads = [threading.Thread(target=enqueue) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ready() == Order.objects.count() == 80


@pytest.mark.django_db
def test_another_file_can_be_used_in_a_block(tmp_path):
    with app.using(tmp_path / "other.db"):
        send_confirmation(1)
        assert ready() == 1
    assert ready() == 0


@sqlite_only
@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.django_db
def test_the_testing_kit_works_on_the_connection_of_the_test(run):
    order = Order.objects.create(customer="alice")
    refute_enqueued(app, send_confirmation)
    with clock(app) as time:
        send_confirmation.enqueue_with(delay=3600)(order.pk)
        assert_enqueued(app, send_confirmation, args=[order.pk])
        assert drain("emails").done == 0
        time.advance("2h")
        assert drain("emails").done == 1
    assert perform(send_confirmation, order.pk) == "alice"


@pytest.mark.django_db(transaction=True)
def test_reversing_the_migration_keeps_the_jobs():
    send_confirmation(1)
    call_command("migrate", "honker", "zero", verbosity=0)
    call_command("migrate", "honker", verbosity=0)
    assert ready() == 1


@pytest.mark.django_db
def test_models_and_migrations_agree(capsys):
    call_command("makemigrations", "--check", "--dry-run")


@sqlite_only
@pytest.mark.django_db
def test_inspectdb_marks_the_tables_as_unmanaged(capsys):
    call_command("inspectdb")
    models = capsys.readouterr().out
    assert "class HonkerLive" in models
    assert models.count("        managed = False\n") == models.count("    class Meta:\n")


def test_a_flush_of_production_keeps_jobs(monkeypatch, django_db_blocker):
    with django_db_blocker.unblock():
        send_confirmation(1)
        monkeypatch.setattr(schema, "_is_test_run", lambda: False)
        schema.after_migrate("default")
        assert ready() == 1
        monkeypatch.undo()
        schema.after_migrate("default", plan=[])
        assert ready() == 1
        schema.after_migrate("default")
        assert ready() == 0


class Flushed(TransactionTestCase):
    def test_first(self):
        send_confirmation(1)
        assert ready() == 1

    def test_second(self):
        send_confirmation(1)
        assert ready() == 1


@pytest.mark.parametrize(
    ("setting", "finding"),
    [
        ({}, []),
        ({"DATABSE": "default"}, ["honker.E001"]),
        ({"DATABASE": "missing"}, ["honker.E002"]),
    ],
)
def test_the_setting_is_checked(setting, finding):
    with override_settings(HONKER=setting):
        assert [each.id for each in check_settings()] == finding


@sqlite_only
def test_a_deferred_transaction_mode_is_warned_of(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    assert [each.id for each in check_settings()] == ["honker.W001"]


def test_another_database_engine_is_an_error(monkeypatch):
    monkeypatch.setattr(django.db.connections["default"], "vendor", "oracle", raising=False)
    assert [each.id for each in check_settings()] == ["honker.E003"]
    with pytest.raises(honker.InvalidArgumentError, match="need SQLite or PostgreSQL"):
        app.db.update_events()
