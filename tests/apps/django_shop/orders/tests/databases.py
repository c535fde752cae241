"""The database that the suite runs on: SQLite in memory or in a file, or PostgreSQL."""

import pytest
from django.db import connection

IS_SQLITE = connection.vendor == "sqlite"
IS_IN_MEMORY = IS_SQLITE and not connection.settings_dict["TEST"]["NAME"]

in_memory = pytest.mark.skipif(not IS_IN_MEMORY, reason="needs a database in memory")
shared = pytest.mark.skipif(IS_IN_MEMORY, reason="needs a database that other connections can open")
without_pool = pytest.mark.skipif("pool" in connection.settings_dict["OPTIONS"], reason="a pool keeps connections open")
sqlite_only = pytest.mark.skipif(not IS_SQLITE, reason="about SQLite")


def placed(sql):
    """A statement with the placeholders of the database."""
    return sql if IS_SQLITE else sql.replace("%", "%%").replace("?", "%s")
