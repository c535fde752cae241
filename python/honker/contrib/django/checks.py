"""System checks of the setting ``HONKER`` and of the database that holds the jobs."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

from honker.contrib.django.settings import DEFAULTS, database_alias
from honker.contrib.django.vendor import find_vendor


def check_settings(app_configs: Any = None, **_: Any) -> list[checks.CheckMessage]:
    """The findings, for ``manage.py check``. Opens no connection."""
    unknown = sorted(set(getattr(settings, "HONKER", {})) - set(DEFAULTS))
    if unknown:
        known = ", ".join(DEFAULTS)
        return [
            checks.Error(
                f"HONKER has the unknown keys {', '.join(unknown)}.", hint=f"Known: {known}.", id="honker.E001"
            )
        ]
    alias = database_alias()
    if alias not in connections:
        return [checks.Error(f'HONKER["DATABASE"] is {alias!r}, which DATABASES does not have.', id="honker.E002")]
    connection = connections[alias]
    vendor = find_vendor(connection)
    if vendor is None:
        return [
            checks.Error(
                f"DATABASES[{alias!r}] is a {connection.display_name} database; jobs need SQLite or PostgreSQL.",
                hint='Add such a database, and name its alias in HONKER = {"DATABASE": ...}.',
                id="honker.E003",
            )
        ]
    problem = vendor.problem()
    if problem is not None:
        return [checks.Error(f"DATABASES[{alias!r}]: {problem}.", id="honker.E005")]
    if connection.vendor != "sqlite":
        return []
    return _check_transaction_mode(alias, connection.settings_dict.get("OPTIONS", {}))


def _check_transaction_mode(alias: str, options: dict[str, Any]) -> list[checks.CheckMessage]:
    if str(options.get("transaction_mode")).upper() in {"IMMEDIATE", "EXCLUSIVE"}:
        return []
    return [
        checks.Warning(
            f"Transactions of DATABASES[{alias!r}] begin as readers. One that reads and then writes fails at once with "
            '"database is locked" if another process has written in between.',
            hint=f'Set DATABASES[{alias!r}]["OPTIONS"]["transaction_mode"] = "IMMEDIATE".',
            id="honker.W001",
        )
    ]
