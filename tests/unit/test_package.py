"""The surface of the package: every export exists and is typed, and `import honker` has no side effects."""

import importlib.resources
import inspect

import honker
import pytest


@pytest.mark.parametrize("name", honker.__all__)
def test_an_exported_name_exists(name):
    assert hasattr(honker, name)


def test_exported_names_are_unique():
    assert len(set(honker.__all__)) == len(honker.__all__)


def test_every_public_class_and_function_of_the_package_is_exported():
    public = {
        name
        for name, member in vars(honker).items()
        if not name.startswith("_") and (inspect.isclass(member) or inspect.isfunction(member))
    }
    assert public <= set(honker.__all__)


def test_the_package_declares_its_types():
    assert importlib.resources.files(honker).joinpath("py.typed").is_file()


def public_callables():
    for kind in (honker.Database, honker.Queue, honker.Job, honker.Claims, honker.Transaction):
        for name, member in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_"):
                yield pytest.param(member, id=f"{kind.__name__}.{name}")
    for name in ("open", "connect", "load_extension", "extension_info"):
        yield pytest.param(getattr(honker, name), id=name)


@pytest.mark.parametrize("member", list(public_callables()))
def test_a_public_method_is_documented_and_annotated(member):
    assert member.__doc__
    signature = inspect.signature(member)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.name == "self" or parameter.annotation is not inspect.Parameter.empty


def test_opening_takes_what_existing_callers_pass_by_position():
    assert list(inspect.signature(honker.open).parameters)[:4] == [
        "path",
        "max_readers",
        "watcher_backend",
        "watcher_poll_interval_ms",
    ]


def test_enqueueing_takes_what_existing_callers_pass_by_position():
    assert list(inspect.signature(honker.Queue.enqueue).parameters) == [
        "self",
        "payload",
        "tx",
        "run_at",
        "delay",
        "priority",
        "expires",
        "max_attempts",
    ]
