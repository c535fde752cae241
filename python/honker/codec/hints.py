"""Annotations as types: forward references, names of enclosing functions, and type variables."""

from __future__ import annotations

import inspect
import operator
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, ForwardRef, TypeVar, cast

_MARKS: Final = frozenset({Annotated, typing.ClassVar, typing.Final})


class UnknownNameError(Exception):
    """A name in an annotation is not defined, or not yet."""


class Scope:
    """The names that the annotations of a function may use.

    Args:
        fn: The function.
        enclosing: The local variables of the functions around it, see `enclosing_names`.
    """

    def __init__(self, fn: Any, enclosing: Mapping[str, Any]) -> None:
        self._globals: dict[str, Any] = getattr(fn, "__globals__", {})
        self._locals = {**enclosing, **_type_parameters(fn)}

    def hint(self, written: Any) -> Any:
        """The type of one annotation.

        Raises:
            UnknownNameError: A name in it is not defined.
        """

        def carrier() -> None: ...

        carrier.__annotations__ = {"it": written}
        # The globals precede the locals only if they have all names: an alias of a module may be hidden by a variable.
        for names in ({}, self._locals):
            try:
                return typing.get_type_hints(carrier, self._globals, dict(names), include_extras=True)["it"]
            except NameError as error:
                missing = error
            except Exception as error:  # Annotations may hold anything, for instance for another tool.
                raise UnknownNameError(f"{type(error).__name__}: {error}") from error
        raise UnknownNameError(str(missing)) from missing

    def class_hints(self, kind: type) -> dict[str, Any]:
        """The types of the fields of a class, base classes included.

        Raises:
            UnknownNameError: A name in them is not defined.
        """
        own = {each.__name__: each for each in reversed(kind.__mro__)} | _type_parameters(kind)
        for names in (own, self._locals | own):
            try:
                return typing.get_type_hints(kind, None, names, include_extras=True)
            except NameError as error:
                missing = error
            except Exception as error:
                raise UnknownNameError(f"{type(error).__name__}: {error}") from error
        raise UnknownNameError(f"in {kind.__name__}: {missing}") from missing


def _type_parameters(owner: Any) -> dict[str, Any]:
    return {each.__name__: each for each in getattr(owner, "__type_params__", ())}


def enclosing_names(fn: Any) -> dict[str, Any]:
    """The local variables of the functions around a function that is being decorated.

    A class that is defined in a function is found in no module, and its name in an annotation may be text.
    """
    module: Any = getattr(fn, "__globals__", None)
    found: dict[str, Any] = {}
    if "<locals>" not in getattr(fn, "__qualname__", ""):
        return found
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals is module and fn.__qualname__.startswith(f"{frame.f_code.co_qualname}.<locals>."):
            found = {**frame.f_locals, **found}
        frame = frame.f_back
    return found


def bare(hint: Any) -> Any:
    """A hint without ``Annotated``, ``Required`` and the like, and without names for other types."""
    while True:
        origin: Any = typing.get_origin(hint)
        if origin in _MARKS or getattr(origin, "_name", None) in {"Required", "NotRequired", "ReadOnly"}:
            hint = typing.get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):  # NewType
            hint = hint.__supertype__
        else:
            return hint


def is_required(hint: Any, *, default: bool) -> bool:
    """True if a key of a typed dict must be there, from its hint or else the default."""
    while (origin := typing.get_origin(hint)) is not None:
        name = getattr(origin, "_name", None)
        if name in {"Required", "NotRequired"}:
            return name == "Required"
        if origin is not Annotated and name != "ReadOnly":
            break
        hint = typing.get_args(hint)[0]
    return default


def variables_of(kind: type, arguments: tuple[Any, ...]) -> dict[Any, Any]:
    """The types that stand for the type variables of a generic class and of its generic bases."""
    parameters = cast("tuple[Any, ...]", getattr(kind, "__parameters__", ()))
    found: dict[Any, Any] = dict(zip(parameters, arguments, strict=False))
    for base in cast("tuple[Any, ...]", getattr(kind, "__orig_bases__", ())):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and origin is not typing.Generic:
            given = tuple(substituted(each, found) for each in typing.get_args(base))
            found = {**variables_of(origin, given), **found}
    return found


def substituted(hint: Any, variables: Mapping[Any, Any]) -> Any:
    """A hint with types in the place of type variables."""
    if isinstance(hint, TypeVar):
        return variables.get(hint, hint)
    parameters = cast("tuple[Any, ...]", getattr(hint, "__parameters__", ()))
    if not parameters or not any(each in variables for each in parameters) or isinstance(hint, type):
        return hint
    return operator.getitem(hint, tuple(variables.get(each, each) for each in parameters))


def bound_of(variable: TypeVar) -> Any:
    """The type of a type variable that has no other: its bound, the union of its constraints, or any."""
    if variable.__constraints__:
        return typing.Union[variable.__constraints__]  # noqa: UP007 - of a tuple
    bound: Any = variable.__bound__
    return Any if bound is None else bound


def text_of(reference: Any) -> str | None:
    """The text of an annotation that is written as text; None for others."""
    if isinstance(reference, ForwardRef):
        return reference.__forward_arg__
    return reference if isinstance(reference, str) else None
