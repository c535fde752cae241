"""A directory for commands, with a database, and with an application's modules if a test writes them."""

import honker
import pytest


@pytest.fixture
def db(path):
    """The database of the directory, opened in the test's process and closed afterwards."""
    with honker.open(path) as opened:
        yield opened


@pytest.fixture
def write(tmp_path):
    """Write a module of the application into the directory."""

    def write_module(name, source):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(source, "utf-8")

    return write_module
