"""Parameters of a task that the worker fills, found by their annotations."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

from honker.engine import Transaction
from honker.job import Job


class Injection(NamedTuple):
    """A parameter that the worker fills.

    Attributes:
        position: Its place among the positional parameters; None if it is passed by name only.
        kind: `Job` or `Transaction`.
    """

    position: int | None
    kind: type


def injections_of(fn: Callable[..., Any]) -> dict[str, Injection]:
    """The parameters of a function that the worker fills, by name."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return {}
    hints = _annotations(fn)
    found: dict[str, Injection] = {}
    for position, parameter in enumerate(parameters.values()):
        wanted = hints.get(parameter.name)
        if wanted is Job or wanted is Transaction:
            is_positional = parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
            found[parameter.name] = Injection(position if is_positional else None, wanted)
    return found


def _annotations(fn: Callable[..., Any]) -> dict[str, Any]:
    target: Any = fn
    while isinstance(target, functools.partial):
        target = target.func
    if not inspect.isroutine(target) and not inspect.isclass(target):
        target = type(target).__call__
    try:
        return typing.get_type_hints(target)
    except Exception:
        # An annotation exists only for type checkers. The documented spellings still work.
        written: dict[str, Any] = getattr(target, "__annotations__", {})
        known = {"Job": Job, "honker.Job": Job, "Transaction": Transaction, "honker.Transaction": Transaction}
        return {name: known.get(hint, hint) if isinstance(hint, str) else hint for name, hint in written.items()}
