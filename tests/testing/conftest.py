"""A testing file with a few tasks."""

import honker
import honker.testing as kit
import pytest


@pytest.fixture(autouse=True)
def _clean_registry():
    honker.registry()._by_name.clear()
    yield
    honker.registry()._by_name.clear()


@pytest.fixture
def db():
    with kit.temporary_database() as opened:
        yield opened
