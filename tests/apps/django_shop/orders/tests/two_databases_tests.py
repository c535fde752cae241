"""A project whose jobs are in a database of their own; run with the settings of that name."""

import pytest
from django.conf import settings
from django.db import connections, transaction
from honker.contrib.django import app
from honker.contrib.django.testing import drain

from orders.models import Order
from orders.tasks import send_confirmation
from orders.tests.databases import IS_SQLITE
from orders.tests.rollbacks import rolled_back

pytestmark = [
    pytest.mark.skipif(len(settings.DATABASES) < 2, reason="needs the settings with two databases"),
    pytest.mark.django_db(databases=["default", "jobs"]),
]


def tables(alias):
    with connections[alias].cursor() as cursor:
        if IS_SQLITE:
            cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE '@_honker@_%' ESCAPE '@'")
        else:
            cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'honker'")
        return {name for (name,) in cursor.fetchall()}


def test_only_the_database_for_jobs_has_the_tables():
    assert tables("default") == set()
    assert len(tables("jobs")) > 10


def test_a_job_does_not_commit_with_rows_of_another_database():
    with rolled_back():
        send_confirmation(1)
    assert app.queue("emails").stats().ready == 1


def test_on_commit_enqueues_after_the_rows(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        order = Order.objects.create(customer="alice")
        transaction.on_commit(lambda: send_confirmation(order.pk))
    assert drain().done == 1
    order.refresh_from_db()
    assert order.is_confirmed


def test_a_block_on_the_database_for_jobs_holds_the_job():
    with rolled_back(using="jobs"):
        send_confirmation(1)
    assert app.queue("emails").stats().ready == 0


def test_the_admin_reads_from_the_database_for_jobs(admin_client):
    send_confirmation(1)
    assert "orders.tasks.send_confirmation" in admin_client.get("/admin/honker/job/").content.decode()


def test_a_test_without_that_database_cannot_enqueue(django_db_blocker):
    with django_db_blocker.block(), pytest.raises(RuntimeError, match="Database access not allowed"):
        send_confirmation(1)
