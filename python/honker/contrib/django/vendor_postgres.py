"""Jobs in a PostgreSQL database of a Django project; see `honker.contrib.django.vendor`."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.db.models import F, Func, TextField

from honker.arguments import Parameters, SQLValue, sql_parameters
from honker.contrib.django.vendor import Vendor
from honker.engine import Fate
from honker.errors import HonkerError
from honker.postgres.location import without_password

try:
    import psycopg
    from psycopg.pq import Conninfo
except ImportError as error:
    # Django has the older psycopg2 instead, or its own error is raised.
    _missing: ImportError | None = error
else:
    _missing = None
    from honker.postgres.bootstrap import bring_up_to_date
    from honker.postgres.failures import from_postgres
    from honker.postgres.foreign import fate_of
    from honker.postgres.statements import translated

#: A host that the authority of a URL can hold as it is. Others are paths of sockets, lists, or addresses of IPv6.
_PLAIN_HOST: Final = re.compile(r"[\w.-]+")
# Rows of these tables are facts about the schema.
_TABLES: Final = (
    "SELECT c.relname FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'honker'::regnamespace AND c.relkind = 'r'"
    " AND c.relname NOT IN ('installation', 'meta')"
)


class _Postgres:
    """See `Vendor`."""

    jobs_table = '"honker"."jobs"'

    def problem(self) -> str | None:
        if _missing is None:
            return None
        return (
            f"jobs in PostgreSQL need psycopg 3 ({_missing}): pip install 'honker-db[postgres]'; Django then uses it "
            "in the place of psycopg2"
        )

    def location(self, connection: Any) -> str:
        given = self._given(connection)
        user, password, host, port, database = (
            given.pop(name, "") for name in ("user", "password", "host", "port", "dbname")
        )
        options = {name: str(value) for name, value in given.items()}
        if not _PLAIN_HOST.fullmatch(host) or not port.isdecimal():
            options |= {name: value for name, value in (("host", host), ("port", port)) if value}
            host = port = ""
        authority = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
        authority += f"@{host}" if authority else host
        authority += f":{port}" if port else ""
        tail = f"?{urlencode(options, quote_via=quote)}" if options else ""
        return f"postgresql://{authority}/{quote(database, safe='')}{tail}"

    def _given(self, connection: Any) -> dict[str, Any]:
        """The parameters of libpq, by their names. Django's own are left out."""
        params = {name: value for name, value in connection.get_connection_params().items() if value is not None}
        role = connection.settings_dict["OPTIONS"].get("assume_role")
        if role:
            # As a word on a command line.
            word = re.sub(r"([\\\s])", r"\\\1", role)
            params["options"] = f"{params.get('options', '')} -c role={word}".strip()
        known = {option.keyword.decode() for option in Conninfo.get_defaults()}
        return {name: str(value) for name, value in params.items() if name in known and name != "client_encoding"}

    def path(self, connection: Any) -> str:
        return without_password(self.location(connection))

    def identity(self, connection: Any) -> str:
        given = self._given(connection)
        usual = {each.keyword.decode(): (each.val or b"").decode() for each in Conninfo.get_defaults()}
        host = given.get("host") or usual.get("host") or given.get("service") or "/var/run/postgresql"
        database = given.get("dbname") or usual.get("dbname") or ""
        return f"postgresql://{host}:{given.get('port') or usual.get('port')}/{database}"

    def is_private(self, connection: Any) -> bool:
        return False

    def function(self, sql: str, params: Sequence[SQLValue]) -> tuple[str, Sequence[Any]]:
        return translated(sql, params)

    def statement(self, sql: str, params: Parameters) -> tuple[str, Any]:
        return sql, sql_parameters(params) or None

    def begin_manual(self, connection: Any, cursor: Any) -> None:
        # psycopg begins a transaction with any statement.
        pass

    def error_of(self, cause: BaseException | None) -> HonkerError | None:
        return from_postgres(cause) if isinstance(cause, psycopg.Error) else None

    def fate(self, tx: Any) -> Fate:
        return fate_of(tx)

    def install(self, connection: Any) -> None:
        connection.ensure_connection()
        bring_up_to_date(connection.connection, self.path(connection))

    def empty(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_TABLES)
            tables = [f'DELETE FROM honker."{name}"' for (name,) in cursor.fetchall()]
            cursor.execute(";".join(tables))

    def task_name(self) -> Any:
        return Func(F("payload"), function="honker._task_of", output_field=TextField())


POSTGRES: Final[Vendor] = _Postgres()
