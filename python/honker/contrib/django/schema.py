"""The tables of honker in the databases of a Django project."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from typing import Any, Final

from django.apps import apps
from django.core import mail
from django.core.management.color import no_style
from django.db import connections, router

from honker.contrib.django.engine import run_function
from honker.contrib.django.settings import database_alias

#: The label of the Django app, to which routers refer.
APP_LABEL: Final = "honker"

#: The end of the name of the table that holds the version of the schema.
_META: Final = "meta"


def bootstrap(using: str) -> None:
    """Create or upgrade the tables in a database, if it is the one for jobs. Idempotent.

    Source: SQL ``honker_bootstrap``.
    """
    connection = connections[using]
    if using == database_alias() and connection.vendor == "sqlite":
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
        _empty(using)


def _is_test_run() -> bool:
    """True between Django's ``setup_test_environment`` and its teardown."""
    return hasattr(mail, "outbox")


def _empty(using: str) -> None:
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = [each.name for each in connection.introspection.get_table_list(cursor) if each.type == "t"]
    prefix = apps.get_model(APP_LABEL, "Job")._meta.db_table.removesuffix("jobs")
    ours = [name for name in tables if name.startswith(prefix) and name != prefix + _META]
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), ours))
