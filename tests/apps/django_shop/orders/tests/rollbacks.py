"""Blocks that roll back."""

from contextlib import contextmanager

from django.db import transaction


@contextmanager
def rolled_back(using=None):
    """A block of `transaction.atomic` that rolls back at its end."""
    with transaction.atomic(using=using):
        yield
        transaction.set_rollback(True, using)
