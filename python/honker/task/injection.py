"""Parameters of a task that the worker fills, found by their annotations."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple

from honker.engine import Transaction
from honker.job import Job


def _spellings() -> dict[str, type]:
    """The documented annotations as text, for hints that cannot be evaluated."""
    return {
        form.format(module + kind.__name__): kind
        for kind in (Job, Transaction)
        for module in ("", "honker.")
        for form in ("{}", "{} | None", "None | {}", "Optional[{}]", "typing.Optional[{}]")
    }


_SPELLINGS: Final = _spellings()


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
        wanted = _wanted(hints.get(parameter.name))
        if wanted is not None and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            is_positional = parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
            found[parameter.name] = Injection(position if is_positional else None, wanted)
    return found


def _wanted(hint: Any) -> type | None:
    """`Job` or `Transaction` if an annotation is one of them, ``X | None`` and ``Annotated[X, ...]`` included."""
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        found = {_wanted(each) for each in typing.get_args(hint) if each is not types.NoneType}
        return found.pop() if len(found) == 1 else None
    return hint if hint is Job or hint is Transaction else None


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
        return {name: _SPELLINGS.get(hint, hint) if isinstance(hint, str) else hint for name, hint in written.items()}
