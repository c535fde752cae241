import time

import honker
from django.db import transaction
from honker.contrib.django import app

from orders import mails  # noqa: F401 - its tasks run here too
from orders.models import Confirmation, Order

# The jobs of a killed worker run again after so many seconds.
app.queue("emails", visibility_timeout_s=3)


@app.task(queue="emails", retry_delay_s=1)
def send_confirmation(order_id, pause_s=0):
    order = Order.objects.get(pk=order_id)
    time.sleep(pause_s)
    with transaction.atomic():
        Confirmation.objects.create(order=order)
        order.is_confirmed = True
        order.save()
    return order.customer


@app.periodic_task(honker.crontab("0 3 * * *"), queue="reports")
def count_orders():
    return Order.objects.count()
