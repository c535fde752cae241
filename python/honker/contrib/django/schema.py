"""The tables of honker in the databases of a Django project."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from typing import Any, Final

from django.core import mail
from django.db import connections, router

from honker.contrib.django.engine import run_function
from honker.contrib.django.settings import database_alias
from honker.contrib.django.vendor import vendor_of

#: The label of the Django app, to which routers refer.
APP_LABEL: Final = "honker"


def bootstrap(using: str) -> None:
    """Create or upgrade the tables in a database, if it is the one for jobs. Idempotent.

    Source: SQL ``honker_bootstrap``.
    """
    connection = connections[using]
    if using == database_alias():
        vendor_of(connection).install(connection)
        run_function(connection, "SELECT honker_bootstrap()")


def after_migrate(using: str, **kwargs: Any) -> None:
    """Upgrade the tables after each ``migrate``, and empty them after a ``flush`` of a test.

    A test runner without migrations gets the tables here. `TransactionTestCase` flushes the tables of models, which
    honker's are not, so jobs of one test would be seen by the next.
    """
    if not router.allow_migrate(using, APP_LABEL):
        return
    bootstrap(using)
    is_flush = "plan" not in kwargs  # only `migrate` passes its plan
    if is_flush and using == database_alias() and _is_test_run():
        vendor_of(connections[using]).empty(connections[using])


def _is_test_run() -> bool:
    """True between Django's ``setup_test_environment`` and its teardown."""
    return hasattr(mail, "outbox")
