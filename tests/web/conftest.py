"""A database and a browser on its page."""

import honker
import pytest

from .browsing import browsing


@pytest.fixture
def db(path):
    """A database, closed after the test."""
    with honker.open(path) as opened:
        yield opened


@pytest.fixture
def page(db):
    """A browser on the page of the database, on this machine."""
    with browsing(db) as browser:
        yield browser
