"""The URL of honker's own connections to a PostgreSQL database of Django's settings."""

import importlib.util
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db.backends.postgresql.base import DatabaseWrapper
from django.db.utils import ConnectionHandler
from honker.contrib.django import vendor_postgres
from honker.contrib.django.vendor import find_vendor, vendor_of
from honker.contrib.django.vendor_postgres import POSTGRES
from honker.errors import InvalidArgumentError
from psycopg.conninfo import conninfo_to_dict

from orders.tests.databases import IS_SQLITE


def connection(**given):
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.postgresql", **given}})
    return DatabaseWrapper(handler.settings["default"], "default")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"NAME": "shop"}, {"dbname": "shop"}),
        (
            {"NAME": "shop", "USER": "ann", "PASSWORD": "p@ss/w:rd %", "HOST": "db.internal", "PORT": 5433},
            {"dbname": "shop", "user": "ann", "password": "p@ss/w:rd %", "host": "db.internal", "port": "5433"},
        ),
        (
            {"NAME": "a/b?c", "HOST": "/run/post gres", "PORT": "5433"},
            {"dbname": "a/b?c", "host": "/run/post gres", "port": "5433"},
        ),
        ({"NAME": "shop", "HOST": "::1", "USER": "a@b"}, {"dbname": "shop", "host": "::1", "user": "a@b"}),
        (
            {"NAME": "shop", "HOST": "one,two", "PORT": "1,2"},
            {"dbname": "shop", "host": "one,two", "port": "1,2"},
        ),
        (
            {"NAME": "", "OPTIONS": {"service": "shop", "passfile": "/etc/pass file", "sslmode": "require"}},
            {"service": "shop", "passfile": "/etc/pass file", "sslmode": "require"},
        ),
        (
            {"NAME": "shop", "OPTIONS": {"options": "-c lock_timeout=9", "assume_role": "a b"}},
            {"dbname": "shop", "options": "-c lock_timeout=9 -c role=a\\ b"},
        ),
        (
            {"NAME": "shop", "OPTIONS": {"pool": True, "server_side_binding": True, "isolation_level": 2}},
            {"dbname": "shop"},
        ),
    ],
)
def test_the_url_has_the_settings_that_libpq_knows(given, expected):
    url = POSTGRES.location(connection(**given))
    assert conninfo_to_dict(url) == expected
    assert "p%40ss" not in POSTGRES.path(connection(**given))


def test_the_identity_names_the_host_port_and_database():
    given = connection(NAME="shop", HOST="db.internal", PORT="5433")
    assert POSTGRES.identity(given) == "postgresql://db.internal:5433/shop"


def test_psycopg2_is_refused_with_the_next_step(monkeypatch):
    missing = ImportError("No module named 'psycopg'")
    monkeypatch.setattr(vendor_postgres, "_missing", missing)
    with pytest.raises(InvalidArgumentError, match=r"psycopg 3 .*pip install 'honker-db\[postgres\]'.*psycopg2"):
        vendor_of(connection(NAME="shop"))
    assert find_vendor(connection(NAME="shop")) is POSTGRES
    if not IS_SQLITE:
        with pytest.raises(SystemCheckError, match=r"honker\.E005"):
            call_command("check")


def test_the_module_can_be_imported_without_psycopg(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    spec = importlib.util.find_spec(vendor_postgres.__name__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    assert "pip install 'honker-db[postgres]'" in again.POSTGRES.problem()
    assert POSTGRES.problem() is None
