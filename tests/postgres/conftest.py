"""A PostgreSQL server for these tests, and a database with honker's schema for each."""

import itertools

import psycopg
import pytest
from honker.postgres.install import install

numbers = itertools.count()


@pytest.fixture(scope="session")
def template(server):
    """The name of a database that has the schema."""
    with psycopg.connect(server.create_database("template")) as conn:
        install(conn)
    return "template"


@pytest.fixture
def url(server, template):
    """The URL of a new database that has the schema."""
    name = f"test_{next(numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def conn(url):
    """A connection in autocommit whose statements find the functions without their schema."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=honker,public") as opened:
        yield opened
