"""The types of a task's parameters and of its return value, built once for each task."""

from __future__ import annotations

import functools
import inspect
import typing
from collections import abc
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import Parameter
from typing import Any, Final, cast

from honker.codec.converter import UNCHECKED, Converter, Mismatch, Postponed, UnsupportedTypeError
from honker.codec.hints import Scope, UnknownNameError, enclosing_names
from honker.codec.recursion import more_frames
from honker.errors import InvalidPayloadError, InvalidTaskError, InvalidValueError, PayloadMismatchError

_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_AWAITABLES: Final = frozenset({abc.Awaitable, abc.Coroutine})
#: The most kinds of calls, by the types of their arguments, that are remembered.
_KNOWN_CALLS: Final = 64


class Slot:
    """A parameter, or the return value.

    Attributes:
        name: The name of the parameter.
        converter: The converter of its values.
    """

    __slots__ = ("converter", "name")

    def __init__(self, name: str, converter: Converter) -> None:
        self.name = name
        self.converter = converter


class TaskTypes:
    """Converts the arguments and the result of a task by the annotations of its function.

    Parameters without an annotation, and annotations that are none of the documented types, are left to JSON.

    Args:
        task: The name of the task, for messages.
        fn: Its function.
        injected: The names of the parameters that a worker fills.

    Raises:
        InvalidTaskError: An annotation cannot be carried, such as a union whose members look alike in JSON.
    """

    def __init__(self, task: str, fn: Callable[..., Any], injected: Collection[str] = ()) -> None:
        self._task = task
        self._positional: list[Slot] = []
        self._by_name: dict[str, Slot] = {}
        self._rest: Slot | None = None
        self._named_rest: Slot | None = None
        self._wrapped: inspect.Signature | None = None
        # The arguments of a call that have to be looked at, by the types of all of its arguments.
        self._known_calls: dict[tuple[type, ...], Sequence[tuple[int, Slot]]] = {}
        #: Types of positional arguments that are valid as they are, of calls that fit the function.
        self.valid_calls: set[tuple[type, ...]] = set()
        self.result: Converter = UNCHECKED
        inner = _function_in(fn)
        written: dict[str, Any] = getattr(inner, "__annotations__", {})
        if not written:
            self.is_checked = self.is_typed = False
            return
        self._read(fn, inner, injected)
        self.result = self._slot(inner, "return", _of_result).converter
        rests = [each for each in (self._rest, self._named_rest) if each is not None]
        slots = [*self._positional, *self._by_name.values(), *rests]
        #: True if the arguments of a call are looked at; False for a task whose parameters accept all of JSON.
        self.is_checked = any(each.converter.is_checked for each in slots)
        #: True if arguments differ from their JSON.
        self.is_typed = not all(each.converter.is_plain for each in slots)

    def _read(self, fn: Callable[..., Any], inner: Any, injected: Collection[str]) -> None:
        try:
            parameters = inspect.signature(fn, follow_wrapped=False).parameters.values()
        except (TypeError, ValueError):  # Some built-in functions have no signature.
            return
        if hasattr(fn, "__wrapped__") and all(
            each.kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD} for each in parameters
        ):
            # A wrapper that passes its arguments on. One that adds some has calls that do not fit the function.
            passed = [each for each in inspect.signature(fn).parameters.values() if each.name not in injected]
            self._wrapped = inspect.Signature(passed)
            parameters = passed
        for each in parameters:
            if each.name in injected and each.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}:
                continue
            self._place(each, self._slot(inner, each.name, functools.partial(_of_parameter, each)))

    def _place(self, parameter: Parameter, slot: Slot) -> None:
        if parameter.kind in _POSITIONAL:
            self._positional.append(slot)
        if parameter.kind in {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}:
            self._by_name[slot.name] = slot
        if parameter.kind is Parameter.VAR_POSITIONAL:
            self._rest = slot
        if parameter.kind is Parameter.VAR_KEYWORD:
            self._named_rest = slot

    def _slot(self, inner: Any, name: str, adapt: Callable[[Any], Any]) -> Slot:
        written: Any = inner.__annotations__.get(name, Any)
        scope = Scope(inner, {})
        try:
            try:
                return Slot(name, _built(scope, written, adapt))
            except UnknownNameError:
                scope = Scope(inner, enclosing_names(inner))
                return Slot(name, _built(scope, written, adapt))
        except UnknownNameError:
            return Slot(name, _Later(self._task, name, written, functools.partial(_built, scope, written, adapt)))
        except UnsupportedTypeError as error:
            raise InvalidTaskError(_unsupported(self._task, name, error)) from None

    def encode(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], offset: int = 0
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """The JSON values of the arguments of a call, which fits the function.

        Args:
            args: Its positional arguments.
            kwargs: Its keyword arguments.
            offset: The number of positional arguments that precede them and come from elsewhere.

        Raises:
            InvalidValueError: An argument is not of the type of its parameter.
        """
        if not self.is_checked:
            if not kwargs and not offset and len(self.valid_calls) < _KNOWN_CALLS:
                self.valid_calls.add(tuple(map(type, args)))
            return args, kwargs
        if offset or self._wrapped is not None:
            return self._encoded(args, kwargs, offset)
        return self._encoded_args(args), self._encoded_kwargs(kwargs) if kwargs else kwargs

    def _encoded_args(self, args: tuple[Any, ...]) -> Sequence[Any]:
        kinds = tuple(map(type, args))
        looked_at = self._known_calls.get(kinds)
        if looked_at is None:
            looked_at = self._looked_at(kinds)
        if not looked_at:
            return args
        encoded = list(args)
        for position, slot in looked_at:
            encoded[position] = self._write(slot, encoded[position])
        return encoded

    def _encoded_kwargs(self, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
        changed: dict[str, Any] = {}
        for name, value in kwargs.items():
            slot = self._slot_named(name)
            if _is_looked_at(slot.converter, cast("Any", type(value))):
                changed[name] = self._write(slot, value, name)
        return {**kwargs, **changed} if changed else kwargs

    def _looked_at(self, kinds: tuple[type, ...]) -> Sequence[tuple[int, Slot]]:
        """The arguments that are not valid by their types alone, with their positions."""
        slots = [(position, self._slot_at(position)) for position in range(len(kinds))]
        found = [each for each, kind in zip(slots, kinds, strict=True) if _is_looked_at(each[1].converter, kind)]
        if len(self._known_calls) < _KNOWN_CALLS:
            self._known_calls[kinds] = found
            if not found:
                self.valid_calls.add(kinds)
        return found

    def _encoded(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], offset: int
    ) -> tuple[Sequence[Any], Mapping[str, Any]]:
        if not self._fits(args, kwargs, offset):
            return args, kwargs
        slots = [self._slot_at(offset + position) for position in range(len(args))]
        return (
            [self._write(slot, value) for slot, value in zip(slots, args, strict=True)],
            self._encoded_kwargs(kwargs),
        )

    def _write(self, slot: Slot, value: Any, name: str | None = None) -> Any:
        try:
            return slot.converter.encode(value)
        except Mismatch as mismatch:
            told = mismatch.told(f"argument {name or slot.name!r} of task {self._task!r}")
            raise InvalidValueError(f"{told}; pass such a value, or change the annotation") from mismatch
        except RecursionError as error:
            raise InvalidPayloadError(
                f"argument {name or slot.name!r} of task {self._task!r} is nested too deeply, or holds itself"
            ) from error

    def decode(
        self, args: list[Any], kwargs: dict[str, Any], *, shows_values: bool = True
    ) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call from their JSON values.

        Args:
            args: The positional arguments, those from parents included.
            kwargs: The keyword arguments.
            shows_values: False to keep values out of messages.

        Raises:
            PayloadMismatchError: One is not of the type of its parameter.
        """
        if not self.is_typed or not self._fits(tuple(args), kwargs, 0):
            return args, kwargs

        def read(slot: Slot, value: Any, name: str | None = None) -> Any:
            subject = f"argument {name or slot.name!r} of task {self._task!r}"
            return _read(slot.converter, value, subject, shows_value=shows_values)

        return (
            [read(self._slot_at(position), value) for position, value in enumerate(args)],
            {name: read(self._slot_named(name), value, name) for name, value in kwargs.items()},
        )

    def encode_result(self, value: Any) -> Any:
        """The JSON value of a result.

        Raises:
            InvalidPayloadError: It is not of the annotated type.
        """
        if self.result.is_plain:
            return value
        try:
            return self.result.encode(value)
        except Mismatch as mismatch:
            raise InvalidPayloadError(mismatch.told(f"the result of task {self._task!r}")) from None

    def decode_result(self, value: Any) -> Any:
        """The result from its JSON value.

        Raises:
            PayloadMismatchError: It is not of the annotated type.
        """
        if self.result.is_plain:
            return value
        return _read(self.result, value, f"the result of task {self._task!r}", shows_value=True)

    def _slot_at(self, position: int) -> Slot:
        if position < len(self._positional):
            return self._positional[position]
        return self._rest or _ANY

    def _slot_named(self, name: str) -> Slot:
        return self._by_name.get(name) or self._named_rest or _ANY

    def _fits(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], offset: int) -> bool:
        """False for a call of a wrapper that adds arguments, so that positions say nothing."""
        if self._wrapped is None:
            return True
        try:
            self._wrapped.bind(*(None,) * offset, *args, **kwargs)
        except TypeError:
            return False
        return True


def _is_looked_at(converter: Converter, kind: type[Any]) -> bool:
    """False if a value of this type is valid as it is."""
    return converter.is_checked and (converter.exact is None or kind not in converter.exact)


_ANY: Final = Slot("", UNCHECKED)


class _Later(Postponed):
    """The converter of an annotation with a name that is not defined yet, built at the first use."""

    def __init__(self, task: str, parameter: str, written: Any, build: Callable[[], Converter]) -> None:
        super().__init__(str(written))
        self._task = task
        self._parameter = parameter
        self._build = build

    def found(self) -> Converter:
        if self.target is None:
            try:
                self.target = self._build()
            except UnknownNameError as error:
                self.target = _Unknown(self.name, str(error))
            except UnsupportedTypeError as error:
                raise InvalidTaskError(_unsupported(self._task, self._parameter, error)) from None
        return self.target


class _Unknown(Converter):
    """An annotation that only type checkers can read: JSON values pass."""

    is_plain = True

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def encode(self, value: Any) -> Any:
        if value is None or isinstance(value, (str, int, float, list, tuple, dict)):
            return cast("Any", value)
        advice = f"the annotation cannot be read ({self._reason}); import its names at run time"
        raise Mismatch(value, "plain JSON only", advice)

    def decode(self, value: Any) -> Any:
        return value


def _read(converter: Converter, value: Any, subject: str, *, shows_value: bool) -> Any:
    try:
        try:
            return converter.decode(value)
        except RecursionError:
            with more_frames():
                return converter.decode(value)
    except Mismatch as mismatch:
        raise PayloadMismatchError(mismatch.told(subject, shows_value=shows_value)) from mismatch.__cause__
    except RecursionError as error:
        raise PayloadMismatchError(f"{subject} is nested too deeply") from error


def _built(scope: Scope, written: Any, adapt: Callable[[Any], Any]) -> Converter:
    # Imported with the first annotated task: it brings all types, which `import honker` need not wait for.
    from honker.codec.build import Builder  # noqa: PLC0415

    return Builder(scope).build(adapt(scope.hint(written)))


def _of_parameter(parameter: Parameter, hint: Any) -> Any:
    return typing.Optional[hint] if parameter.default is None else hint  # noqa: UP045 - a hint may be text


def _of_result(hint: Any) -> Any:
    """The type of a result: of a function that returns an awaitable, the type that awaiting it gives."""
    if typing.get_origin(hint) in _AWAITABLES:
        return typing.get_args(hint)[-1]
    return hint


def _unsupported(task: str, parameter: str, error: Exception) -> str:
    where = "the return value" if parameter == "return" else f"parameter {parameter!r}"
    return (
        f"{where} of task {task!r} cannot be carried: {error}; annotate it with one of them, tell objects apart by a "
        "Literal field, or use Any for plain JSON"
    )


def _function_in(fn: Any) -> Any:
    """The function whose annotations count, within partial objects and callable objects."""
    found: Any = fn
    while isinstance(found, functools.partial):
        found = cast("functools.partial[Any]", found).func
    if not inspect.isroutine(found):
        found = type(found).__call__
    while (wrapped := getattr(found, "__wrapped__", None)) is not None:
        found = wrapped
    return getattr(found, "__func__", found)
