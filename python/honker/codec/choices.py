"""Enums and literals: types of a few known values."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, Flag
from typing import Any, Final, cast

from honker.codec.converter import FORMS, Converter, Mismatch, UnsupportedTypeError, form_of, shown_value

_SHOWN_VALUES: Final = 8


class EnumOf(Converter):
    """The members of an enum, written by value if all values are texts or all are whole numbers, else by name."""

    def __init__(self, kind: type[Enum]) -> None:
        self.name = kind.__name__
        self._kind = kind
        members = list(kind.__members__.values())
        values: list[Any] = [member.value for member in members]
        by_value = all(isinstance(value, str) for value in values) or all(
            isinstance(value, int) and not isinstance(value, bool) for value in values
        )
        self._is_flag = issubclass(kind, Flag)
        self._by_value = by_value or self._is_flag
        is_text = not self._is_flag and (not by_value or not members or isinstance(values[0], str))
        self.forms = frozenset({"string" if is_text else "integer"})
        self._members: dict[Any, Enum] = (
            {member.value: member for member in members} if self._by_value else dict(kind.__members__)
        )

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self._kind):
            raise Mismatch(value, self.name, f"pass a member of {self.name}")
        # A member that is text or a number itself is written as the plain value.
        plain = value.value if self._by_value else value.name
        return str.__str__(plain) if isinstance(plain, str) else int(plain)

    def decode(self, value: Any) -> Any:
        if form_of(value) in self.forms:
            if value in self._members:
                return self._members[value]
            if self._is_flag:
                try:
                    return self._kind(value)
                except ValueError:
                    pass
        raise Mismatch(value, f"one of the members of {self.name}: {_listed(self._members)}")


class LiteralOf(Converter):
    """The values of a ``Literal``.

    Raises:
        UnsupportedTypeError: One of them is no value of JSON and no member of an enum.
    """

    def __init__(self, values: Iterable[Any], enums: dict[type, Converter]) -> None:
        self._written: dict[tuple[type, Any], Any] = {}
        self._read: dict[tuple[type, Any], Any] = {}
        for value in values:
            plain = enums[cast("type", type(value))].encode(value) if isinstance(value, Enum) else value
            if type(plain) not in FORMS:
                raise UnsupportedTypeError(f"the Literal value {shown_value(value)} is no value of JSON")
            self._written[type(value), value] = plain
            self._read[type(plain), plain] = value
        self.name = f"one of {_listed(value for _, value in self._written)}"
        self.forms = frozenset(FORMS[kind] for kind, _ in self._read)
        self.is_plain = all(kind in FORMS for kind, _ in self._written)

    @property
    def values(self) -> frozenset[Any]:
        """The JSON values."""
        return frozenset(value for _, value in self._read)

    def encode(self, value: Any) -> Any:
        return self._found(self._written, value)

    def decode(self, value: Any) -> Any:
        return value if self.is_plain else self._found(self._read, value)

    def _found(self, known: dict[tuple[type, Any], Any], value: Any) -> Any:
        try:
            return known[type(value), value]
        except (KeyError, TypeError):
            raise Mismatch(value, self.name) from None


def _listed(values: Iterable[Any]) -> str:
    shown = [shown_value(value) for value in values]
    return ", ".join(shown[:_SHOWN_VALUES]) + (", ..." if len(shown) > _SHOWN_VALUES else "")
