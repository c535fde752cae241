"""Jobs in a SQLite database of a Django project; see `honker.contrib.django.vendor`."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from django.core.management.color import no_style
from django.db.models import Case, F, Func, IntegerField, TextField, Value, When
from django.db.models.lookups import Exact

from honker.arguments import Parameters, SQLValue, sql_parameters
from honker.contrib.django.vendor import Vendor
from honker.engine import Fate
from honker.errors import HonkerError, InvalidArgumentError, from_sqlite
from honker.job.headers import ENVELOPE
from honker.sqlite.foreign import fate_of
from honker.sqlite.path import database_path, file_of

#: The begin of the names of honker's tables.
_PREFIX: Final = "_honker_"
#: The table that holds the version of the schema.
_META: Final = "_honker_meta"


class _SQLite:
    """See `Vendor`."""

    jobs_table = "_honker_jobs"

    def problem(self) -> str | None:
        return None

    def location(self, connection: Any) -> str:
        try:
            return database_path(connection.settings_dict["NAME"])
        except InvalidArgumentError as error:
            database = f"DATABASES[{connection.alias!r}]"
            raise InvalidArgumentError(
                f"{database}: {error}. A worker, a wait or a second thread needs a file; for tests, set "
                f'{database}["TEST"] = {{"NAME": BASE_DIR / "test.sqlite3"}}'
            ) from error

    def path(self, connection: Any) -> str:
        name = str(connection.settings_dict["NAME"])
        return name if connection.is_in_memory_db() else database_path(name)

    def identity(self, connection: Any) -> str:
        path = self.path(connection)
        return path if connection.is_in_memory_db() else os.path.realpath(file_of(path))

    def is_private(self, connection: Any) -> bool:
        return connection.is_in_memory_db()

    def function(self, sql: str, params: Sequence[SQLValue]) -> tuple[str, Sequence[Any]]:
        return sql.replace("?", "%s"), params

    def statement(self, sql: str, params: Parameters) -> tuple[str, Any]:
        return sql.replace("%", "%%").replace("?", "%s"), sql_parameters(params)

    def begin_manual(self, connection: Any, cursor: Any) -> None:
        # As an INSERT would; sqlite3 begins none for a SELECT.
        if not connection.connection.in_transaction:
            cursor.execute("BEGIN IMMEDIATE")

    def error_of(self, cause: BaseException | None) -> HonkerError | None:
        if not isinstance(cause, sqlite3.Error):
            return None
        error = from_sqlite(cause)
        if "no such function" in str(error):
            return InvalidArgumentError(
                f'{error}; add "honker.contrib.django" to INSTALLED_APPS, which loads honker into the connections of '
                "Django"
            )
        return error

    def fate(self, tx: Any) -> Fate:
        return fate_of(tx, sqlite3)

    def install(self, connection: Any) -> None:
        # The extension makes the tables.
        pass

    def empty(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            tables = [each.name for each in connection.introspection.get_table_list(cursor) if each.type == "t"]
        ours = [name for name in tables if name.startswith(_PREFIX) and name != _META]
        connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), ours))

    def task_name(self) -> Any:
        call = Func(F("payload"), Value(f"$.{ENVELOPE}.task"), function="json_extract", output_field=TextField())
        is_json = Func(F("payload"), function="json_valid", output_field=IntegerField())
        return Case(When(Exact(is_json, 1), then=call), default=None, output_field=TextField())


SQLITE: Final[Vendor] = _SQLite()
