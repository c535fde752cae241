"""The Django app ``honker.contrib.django``."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import sqlite3
from typing import Any

from django.apps import AppConfig
from django.core import checks
from django.db import connections
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules

from honker.contrib.django import app
from honker.contrib.django.checks import check_settings
from honker.contrib.django.schema import APP_LABEL, after_migrate
from honker.sqlite.auto_extension import register_auto_extension
from honker.sqlite.extension import load_extension


class HonkerConfig(AppConfig):
    """Loads honker into Django's SQLite connections, and imports the modules ``tasks`` of all installed apps."""

    name = "honker.contrib.django"
    label = APP_LABEL
    verbose_name = "Honker"

    def ready(self) -> None:
        """Called by Django once all models are imported."""
        if hasattr(sqlite3.Connection, "enable_load_extension"):
            connection_created.connect(_load, dispatch_uid="honker")
            for connection in connections.all(initialized_only=True):  # opened by an app that was ready before
                if connection.connection is not None:
                    _load(connection=connection)
        else:
            register_auto_extension()
        connection_created.connect(_let_go, dispatch_uid="honker.let_go")
        post_migrate.connect(_after_migrate, sender=self, dispatch_uid="honker")
        checks.register(check_settings, checks.Tags.database)
        checks.register(check_settings)
        autodiscover_modules("tasks")


def _load(connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite":
        load_extension(connection.connection)


def _let_go(connection: Any, **_: Any) -> None:
    """Close honker's connections before a database of tests is dropped or copied, which no other session may use.

    Django does both on a connection with this alias.
    """
    if connection.alias == NO_DB_ALIAS:
        app.close()


def _after_migrate(using: str, **kwargs: Any) -> None:
    after_migrate(using, **kwargs)
