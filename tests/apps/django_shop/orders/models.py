from django.db import models


class Order(models.Model):
    customer = models.CharField(max_length=100)
    is_confirmed = models.BooleanField(default=False)


class Confirmation(models.Model):
    """One row for each run of the task, so that tests can count the runs."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
