"""The shop's own tests, as its authors would write them."""

import pytest
from django.test import TestCase
from honker.contrib.django import app
from honker.contrib.django.testing import drain

from orders.models import Confirmation, Order
from orders.tasks import send_confirmation


@pytest.mark.django_db
def test_an_order_is_confirmed(client):
    answer = client.post("/orders/", {"customer": "alice"})
    assert answer.status_code == 200
    assert drain().done == 1
    assert Order.objects.get(pk=answer.json()["order"]).is_confirmed


@pytest.mark.django_db
def test_a_refused_payment_enqueues_nothing(client):
    with pytest.raises(RuntimeError, match="the payment was refused"):
        client.post("/orders/", {"customer": "alice", "fails": "yes"})
    assert not Order.objects.exists()
    assert app.db.stats() == []
    assert drain().done == 0


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.django_db
def test_jobs_of_one_test_are_not_seen_by_the_next(client, run):
    client.post("/orders/", {"customer": "alice"})
    (stats,) = app.db.stats()
    assert stats.ready == 1


@pytest.mark.parametrize("run", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_committed_jobs_of_one_test_are_not_seen_by_the_next(client, run):
    client.post("/orders/", {"customer": "alice"})
    (stats,) = app.db.stats()
    assert stats.ready == 1
    assert drain().done == 1
    assert Confirmation.objects.count() == 1


def test_a_test_without_a_database_cannot_enqueue():
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        send_confirmation(1)


class OrderTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(customer="alice")

    def test_with_the_unittest_class_of_django(self):
        result = send_confirmation(self.order.pk)
        drain()
        assert result.get(timeout=1) == "alice"

    def test_a_failing_task_raises_in_drain(self):
        send_confirmation(10**6)
        with pytest.raises(Order.DoesNotExist):
            drain()
        assert app.db.stats()[0].delayed == 1
