"""A database router for projects whose jobs are not in the database ``default``."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from typing import Any

from honker.contrib.django.schema import APP_LABEL
from honker.contrib.django.settings import database_alias


class HonkerRouter:
    """Sends honker's model and migration to the database of the setting ``HONKER``, and nothing else anywhere.

    Add ``"honker.contrib.django.router.HonkerRouter"`` to ``DATABASE_ROUTERS``, before routers that say no.
    """

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        """The database to read a model from; None leaves it to other routers."""
        return database_alias() if model._meta.app_label == APP_LABEL else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_: Any) -> bool | None:
        """True if an app may migrate in a database; None leaves it to other routers."""
        return db == database_alias() if app_label == APP_LABEL else None
