"""Converters between the values of a type and their JSON forms."""

from __future__ import annotations

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final

#: The kinds of JSON values, by the Python types that a decoder makes of them.
FORMS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}
ANY_FORM: Final = frozenset(FORMS.values())

_SHOWN: Final = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 60


class UnsupportedTypeError(Exception):
    """Values of a type cannot be read back from their JSON."""


class Mismatch(Exception):
    """A value is not of the declared type.

    Attributes:
        value: The value.
        expected: The declared type, or the reason why the value does not fit.
        path: The place of the value within the argument, outermost step first.
    """

    def __init__(self, value: Any, expected: str, advice: str = "") -> None:
        super().__init__(value, expected, advice)
        self.value = value
        self.expected = expected
        self.advice = advice
        self.path: list[str] = []

    def at(self, step: str) -> Mismatch:
        """The same mismatch, seen from the container."""
        self.path.insert(0, step)
        return self

    def told(self, subject: str, *, shows_value: bool = True) -> str:
        """The message about an argument or result, without its value if that must stay secret."""
        kind = type(self.value).__name__
        if not shows_value:  # The place and the advice may show a part of it.
            return f"{subject} has a value of type {kind}; its annotation takes {self.expected}"
        shown = f"{shown_value(self.value)} of type {kind}"
        advice = f"; {self.advice}" if self.advice else ""
        place = f", at {''.join(self.path)}," if self.path else ""
        return f"{subject}{place} is {shown}; its annotation takes {self.expected}{advice}"


def shown_value(value: Any) -> str:
    """A short text for a value; never raises."""
    try:
        return _SHOWN.repr(value)
    except Exception:
        return f"an object that repr() cannot show, of {type(value).__name__}"


class Converter(ABC):
    """Writes the values of one type as JSON values, and reads them back.

    Attributes:
        name: The type, for messages.
        forms: The kinds of JSON values that it writes.
        is_plain: True if its values are JSON values, so that reading changes nothing.
        is_checked: False if it accepts every value.
        exact: Types of which each value is valid as it is. None if that takes a look at the value.
        tags: Fields of its objects that have a few known values only, with these.
    """

    name: str = "any JSON value"
    forms: frozenset[str] = ANY_FORM
    is_plain: bool = False
    is_checked: bool = True
    exact: frozenset[type] | None = None
    tags: dict[str, frozenset[Any]] = {}  # noqa: RUF012 - never changed in place

    @abstractmethod
    def encode(self, value: Any) -> Any:
        """The JSON value.

        Raises:
            Mismatch: The value is not of the type.
        """

    @abstractmethod
    def decode(self, value: Any) -> Any:
        """The value of a JSON value.

        Raises:
            Mismatch: The JSON value is none of the type.
        """


class Unchecked(Converter):
    """Values without a declared type: plain JSON, checked when it is written."""

    is_plain = True
    is_checked = False

    def encode(self, value: Any) -> Any:
        return value

    def decode(self, value: Any) -> Any:
        return value


UNCHECKED: Final = Unchecked()


class Postponed(Converter):
    """A converter that is not built yet: a type within itself, or a name that is not defined yet."""

    def __init__(self, name: str, forms: frozenset[str] = ANY_FORM) -> None:
        self.name = name
        self.forms = forms
        self.target: Converter | None = None

    def encode(self, value: Any) -> Any:
        return self.found().encode(value)

    def decode(self, value: Any) -> Any:
        return self.found().decode(value)

    def found(self) -> Converter:
        """The converter, once it is built."""
        assert self.target is not None
        return self.target


def form_of(value: Any) -> str | None:
    """The kind of a JSON value; None for other values."""
    return FORMS.get(type(value))  # pyright: ignore[reportUnknownArgumentType] - of a value of any type


def each(convert: Callable[[Any], Any], values: Iterable[Any]) -> list[Any]:
    """The converted items; a mismatch names the position."""
    done: list[Any] = []
    try:
        for value in values:
            done.append(convert(value))
    except Mismatch as mismatch:
        raise mismatch.at(f"[{len(done)}]") from None
    return done


def expect(value: Any, kind: type, expected: str) -> Any:
    """A JSON value of a kind.

    Raises:
        Mismatch: It is of another kind.
    """
    if not isinstance(value, kind):
        raise Mismatch(value, expected)
    return value
