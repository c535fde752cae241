"""The surface of the package: its exports, its type marker and the order of positional parameters."""

import importlib.resources
import inspect

import honker
from honker import errors


def test_exported_names_are_unique():
    assert len(set(honker.__all__)) == len(honker.__all__)


def test_every_public_class_and_function_of_the_package_is_exported():
    public = {
        name
        for name, member in inspect.getmembers(honker)
        if not name.startswith("_") and (inspect.isclass(member) or inspect.isfunction(member))
    }
    documented_in_errors = {name for name in public if hasattr(errors, name)}
    assert public - documented_in_errors <= set(honker.__all__)


def test_the_package_declares_its_types():
    assert importlib.resources.files(honker).joinpath("py.typed").is_file()


def test_opening_takes_what_existing_callers_pass_by_position():
    assert list(inspect.signature(honker.open).parameters)[:4] == [
        "path",
        "max_readers",
        "watcher_backend",
        "watcher_poll_interval_ms",
    ]


def test_enqueueing_takes_what_existing_callers_pass_by_position():
    parameters = inspect.signature(honker.Queue.enqueue).parameters.values()
    assert [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY] == [
        "self",
        "payload",
        "tx",
        "run_at",
        "delay",
        "priority",
        "expires",
        "max_attempts",
    ]
