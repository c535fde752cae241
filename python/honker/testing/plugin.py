"""The pytest plugin: a database for each test, and its clock.

pytest loads this module in every project that has honker installed, and with it the package honker. Everything else is
imported when a fixture is used.
"""

from __future__ import annotations

import importlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from honker.database import Database
    from honker.testing.file_clock import Clock

_OPTION = "honker_app"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting of the fixture ``honker_app``."""
    parser.addini(_OPTION, "the honker.App of the fixture honker_app, as module:name", default="")


@pytest.fixture
def honker_db(tmp_path: Path) -> Generator[Database]:
    """A database of the test alone, on a testing file."""
    from honker.database import Database  # noqa: PLC0415 - see the module
    from honker.testing.files import new_file  # noqa: PLC0415 - see the module

    with Database(new_file(tmp_path / "honker.db")) as db:
        yield db


@pytest.fixture
def honker_app(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Any]:
    """The app of the setting ``honker_app``, on a testing file of the test alone.

    A project may instead define the fixture ``honker_app`` itself, with `honker.testing.temporary_app`.
    """
    from honker.testing.files import new_file  # noqa: PLC0415 - see the module

    with _app(str(request.config.getini(_OPTION))).using(new_file(tmp_path / "honker-app.db")) as app:
        yield app


@pytest.fixture
def honker_clock(request: pytest.FixtureRequest) -> Generator[Clock]:
    """The clock of ``honker_app``, if the test uses it or the setting names one; else of ``honker_db``."""
    from honker.testing.file_clock import clock  # noqa: PLC0415 - see the module

    is_of_app = _OPTION in request.fixturenames or bool(request.config.getini(_OPTION))
    with clock(request.getfixturevalue("honker_app" if is_of_app else "honker_db")) as controlled:
        yield controlled


def _app(target: str) -> Any:
    """The app that a setting names."""
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise pytest.UsageError(
            f"the setting {_OPTION} is {target!r}; name the honker.App, as in `{_OPTION} = shop:app`, or define the "
            f"fixture {_OPTION} in conftest.py"
        )
    app: Any = importlib.import_module(module)
    for part in name.split("."):
        app = getattr(app, part)
    return app
