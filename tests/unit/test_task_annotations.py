"""Annotations that are texts, that name later classes, and that wrappers and callable objects take over."""

import functools
import sys
import textwrap
import types
from datetime import date

import pytest
from honker import InvalidTaskError
from honker.codec.task_types import TaskTypes

from .converting import through_json


def module(name, text):
    """A module with this code, as if it were imported."""
    made = types.ModuleType(name)
    sys.modules[name] = made
    exec(compile(textwrap.dedent(text), f"{name}.py", "exec"), made.__dict__)
    return made


@pytest.fixture
def later(request):
    yield functools.partial(module, "later_module")
    sys.modules.pop("later_module", None)


def test_annotations_may_be_text(later):
    found = later(
        """
        from __future__ import annotations
        import dataclasses
        from datetime import date

        @dataclasses.dataclass
        class Node:
            day: date
            next: Node | None = None

        def task(node: Node) -> list[Node]: ...
        """
    )
    value = found.Node(date(2026, 1, 1), found.Node(date(2026, 1, 2)))
    assert through_json(TaskTypes("task", found.task), value)[1] == value


def test_a_class_may_be_defined_after_the_task(later):
    found = later(
        """
        from honker.codec.task_types import TaskTypes

        def task(it: "Late"): ...

        types = TaskTypes("task", task)
        import dataclasses
        from datetime import date

        @dataclasses.dataclass
        class Late:
            day: date
            other: "Later | None" = None

        @dataclasses.dataclass
        class Later:
            day: date
        """
    )
    value = found.Late(date(2026, 1, 1), found.Later(date(2026, 1, 2)))
    assert through_json(found.types, value)[1] == value


def test_a_union_of_later_classes_is_refused_at_the_first_call(later):
    found = later(
        """
        from honker.codec.task_types import TaskTypes

        def task(it: "Late | Path"): ...

        types = TaskTypes("task", task)
        from pathlib import Path
        Late = str
        """
    )
    with pytest.raises(InvalidTaskError, match="parameter 'it'"):
        found.types.encode(("x",), {})


def test_a_class_may_be_defined_in_the_function_that_decorates(later):
    found = later(
        """
        from __future__ import annotations
        import dataclasses
        from datetime import date
        from honker.codec.task_types import TaskTypes

        def make():
            @dataclasses.dataclass
            class Local:
                day: date
                next: Local | None = None

            def task(it: Local): ...

            return Local, TaskTypes("task", task)
        """
    )
    kind, types_ = found.make()
    value = kind(date(2026, 1, 1), kind(date(2026, 1, 2)))
    assert through_json(types_, value)[1] == value


def test_a_wrapper_that_passes_its_arguments_on_has_the_types_of_its_function():
    def inner(when: date, n: int = 0): ...

    @functools.wraps(inner)
    def wrapper(*args, **kwargs):
        return inner(*args, **kwargs)

    found = TaskTypes("task", wrapper)
    assert found.encode((date(2026, 1, 1),), {"n": 1}) == (["2026-01-01"], {"n": 1})
    assert found.decode(["2026-01-01"], {})[0] == [date(2026, 1, 1)]


def test_a_wrapper_that_adds_arguments_leaves_its_calls_to_json():
    def inner(session: date, when: date, n: int): ...

    @functools.wraps(inner)
    def wrapper(*args, **kwargs):
        return inner("session", *args, **kwargs)

    args = (object(), 1)
    assert TaskTypes("task", wrapper).encode(args, {})[0] is args


def test_the_types_of_a_partial_or_a_callable_object_are_those_of_its_function():
    class Handler:
        def __call__(self, when: date): ...

    def task(n: int, when: date): ...

    for fn in (Handler(), Handler().__call__, functools.partial(task, 1)):
        assert through_json(TaskTypes("task", fn), date(2026, 1, 1))[0] == "2026-01-01"


def test_parameters_that_a_worker_fills_are_left_alone():
    def task(job: "Nothing", when: date): ...  # noqa: F821

    assert TaskTypes("task", task, {"job"}).encode((date(2026, 1, 1),), {})[0] == ["2026-01-01"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement `type` is new in Python 3.12")
def test_aliases_and_type_parameters_of_python_3_12(later):
    found = later(
        """
        import dataclasses
        from datetime import date
        type Tree = date | list[Tree]

        @dataclasses.dataclass
        class Pair[T]:
            a: T

        def task(it: Pair[Tree]): ...
        """
    )
    value = found.Pair([date(2026, 1, 1), [date(2026, 1, 2)]])
    assert through_json(TaskTypes("task", found.task), value)[1] == value
