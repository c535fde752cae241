"""Running code around the calls of one engine, in this process only.

The methods of an engine are replaced on the object, and put back at the end. So an engine that no test touches has no
hook that it would have to look for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from honker.engine import Engine

_MISSING: Final = object()


class Interception:
    """Replaced methods of one engine.

    Args:
        engine: The engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._before: dict[str, Any] = {}

    def replace(self, name: str, make: Callable[[Any], Any]) -> None:
        """Replace a method by ``make(method)``. A method that another interception has replaced is wrapped again."""
        self._before[name] = vars(self._engine).get(name, _MISSING)
        setattr(self._engine, name, make(getattr(self._engine, name)))

    def end(self) -> None:
        """Put the methods back. Idempotent."""
        for name, method in self._before.items():
            if method is _MISSING:
                delattr(self._engine, name)
            else:
                setattr(self._engine, name, method)
        self._before.clear()
