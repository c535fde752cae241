"""The shape of a task's function: refused where it is decorated if no worker could call it, and bound at each call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, Signature
from typing import Any, Final

from honker.errors import InvalidCallError, InvalidTaskError
from honker.task.injection import injections_of

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC: Final = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
_OPTIONS_HINT: Final = "; options such as tx and delay are arguments of enqueue_with: task.enqueue_with(tx=tx)(...)"


def check_function(fn: Any) -> None:
    """Refuse an object that is no function that a worker could call.

    Raises:
        InvalidTaskError: The reason, and the right spelling.
    """
    reason = _refusal(fn)
    if reason is not None:
        raise InvalidTaskError(reason)


def _refusal(fn: Any) -> str | None:
    called = fn
    while isinstance(called, functools.partial):
        called = called.func
    shown = f"{getattr(called, '__qualname__', None) or called!r}"
    if isinstance(called, classmethod):
        return "a classmethod cannot be a task: its class does not exist yet; write @staticmethod below the decorator"
    if isinstance(called, (property, functools.cached_property)):
        return "a property cannot be a task; decorate a function"
    if inspect.isclass(called):
        return f"the class {shown} cannot be a task: a call would only make an instance; decorate a function"
    if not callable(called):
        return f"{called!r} of type {type(called).__name__} is not callable; decorate a function"
    first = next(iter(inspect.signature(fn).parameters), None) if inspect.isfunction(fn) else None
    if first in {"self", "cls"} and first not in injections_of(fn):
        return (
            f"{shown} is a method, and a worker has no {first!r} to call it with; "
            "write @staticmethod below the decorator, or decorate a function or a bound method"
        )
    return None


def _signature_of(fn: Callable[..., Any]) -> Mapping[str, Parameter] | None:
    """The parameters of a function itself: a wrapper may add arguments for the function that it wraps."""
    try:
        return inspect.signature(fn, follow_wrapped=False).parameters
    except (TypeError, ValueError):  # Some built-in functions have no signature.
        return None


class CallSignature:
    """The arguments that a caller of a task may pass: those of its function without the ones that a worker fills.

    Args:
        name: The task's name.
        fn: Its function.
        injected: The names of the parameters that a worker fills.
    """

    def __init__(self, name: str, fn: Callable[..., Any], injected: Collection[str]) -> None:
        self._name = name
        parameters = _signature_of(fn)
        self._signature: Signature | None = None
        # For calls with positional arguments only, which are most and need no binding.
        self._counts = range(0)
        if parameters is None:
            return
        passed = [each for each in parameters.values() if each.name not in injected or each.kind in _VARIADIC]
        self._signature = Signature(passed)
        positional = [each for each in passed if each.kind in _POSITIONAL]
        required = [each for each in passed if _is_required(each)]
        if all(each.kind in _POSITIONAL for each in required):
            self._counts = range(len(required), len(positional) + 1)

    @property
    def required(self) -> list[str]:
        """The names of the arguments that a caller must pass."""
        if self._signature is None:
            return []
        return [each.name for each in self._signature.parameters.values() if _is_required(each)]

    def check(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse arguments that the function would refuse.

        Raises:
            InvalidCallError: The reason, with the signature.
        """
        if self._signature is None or (not kwargs and len(args) in self._counts):
            return
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            hint = "" if kwargs.keys() <= self._signature.parameters.keys() else _OPTIONS_HINT
            raise InvalidCallError(f"call of task {self._name!r}: {error}; it takes {self._shown()}{hint}") from None

    def _shown(self) -> str:
        assert self._signature is not None
        bare = [each.replace(annotation=Parameter.empty) for each in self._signature.parameters.values()]
        return str(Signature(bare))


def _is_required(parameter: Parameter) -> bool:
    return parameter.default is Parameter.empty and parameter.kind not in _VARIADIC


def check_periodic(signature: CallSignature, name: str) -> None:
    """Refuse a periodic task that cannot be called without arguments, as its schedule does.

    Raises:
        InvalidTaskError: It has required parameters.
    """
    if signature.required:
        raise InvalidTaskError(
            f"periodic task {name!r} requires {', '.join(map(repr, signature.required))}, and a schedule passes no "
            "arguments; give each parameter a default, or use Scheduler.add(payload=...)"
        )
