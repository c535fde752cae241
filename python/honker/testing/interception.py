"""Running code around the calls of one engine, in this process only.

The methods of an engine are replaced on the object, and put back at the end. So an engine that no test touches has no
hook that it would have to look for.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from honker.engine import Engine

_Make: TypeAlias = Callable[[Any], Any]

_MISSING: Final = object()


class _Replaced:
    """A method of an engine that is replaced.

    Attributes:
        plain: The attribute of the object before the first replacement; `_MISSING` if the class has the method.
        makes: The replacements that hold, the innermost first.
    """

    def __init__(self, plain: Any) -> None:
        self.plain = plain
        self.makes: dict[Interception, _Make] = {}


_replaced: Final[weakref.WeakKeyDictionary[Engine, dict[str, _Replaced]]] = weakref.WeakKeyDictionary()


class Interception:
    """Replaced methods of one engine. Several may overlap, and end in any order.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._names: set[str] = set()

    def replace(self, name: str, make: _Make) -> None:
        """Replace a method by ``make(method)``. A method that another interception has replaced is wrapped again."""
        methods = _replaced.setdefault(self._engine, {})
        if name not in methods:
            methods[name] = _Replaced(vars(self._engine).get(name, _MISSING))
        methods[name].makes[self] = make
        self._names.add(name)
        _wrap(self._engine, name, methods[name])

    def end(self) -> None:
        """Take these replacements away, and leave those of other interceptions. Idempotent."""
        methods = _replaced.get(self._engine, {})
        while self._names:
            name = self._names.pop()
            del methods[name].makes[self]
            _wrap(self._engine, name, methods[name])
            if not methods[name].makes:
                del methods[name]


def _wrap(engine: Engine, name: str, replaced: _Replaced) -> None:
    """Wrap a method anew in each replacement that holds."""
    is_of_class = replaced.plain is _MISSING
    if is_of_class and not replaced.makes:
        delattr(engine, name)
        return
    # Bound from the class, so that no other thread finds the engine without its replacements meanwhile.
    method = getattr(type(engine), name).__get__(engine) if is_of_class else replaced.plain
    for make in replaced.makes.values():
        method = make(method)
    setattr(engine, name, method)
