"""Tasks declared by Django's own decorator, which the backend of honker runs."""

import honker

try:
    from django.tasks import task
except ImportError:  # before Django 6.0
    from django_tasks import task

from orders.models import Confirmation, Order


@task
def add(a, b=0):
    return a + b


@task(queue_name="slow", priority=50)
async def add_later(a, b):
    await Order.objects.acreate(customer="async")
    return a + b


@task(takes_context=True)
def attempt(context, succeeds_at):
    if context.attempt < succeeds_at:
        raise ValueError(f"attempt {context.attempt} fails")
    return {"attempt": context.attempt, "id": context.task_result.id}


@task
def confirm(order_id):
    Confirmation.objects.create(order_id=order_id)


@task
def give_up():
    raise honker.Discard("there is no such address")


@task
def wait_for_a_cancelled_job():
    raise honker.errors.JobCancelledError(2**40)


@task
def unreadable():
    return object()
