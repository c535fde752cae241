"""Fixtures of the shop's own tests."""

import pytest
from honker.testing import temporary_app

from examples.shop import mail
from examples.shop.app import app
from examples.shop.models import create_tables, engine_on


@pytest.fixture
def honker_app():
    """The shop on an empty file."""
    with temporary_app(app):
        create_tables()
        yield app
        engine_on(app.path).dispose()
        engine_on.cache_clear()


@pytest.fixture
def sent(monkeypatch):
    """The mails that were sent, instead of a mail server."""
    messages = []
    monkeypatch.setattr(mail, "send", messages.append)
    return messages
