"""Unions: the JSON value must show which member was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from honker.codec.converter import Converter, Mismatch, UnsupportedTypeError, form_of
from honker.codec.scalars import NULL


class UnionOf(Converter):
    """A union whose members are told apart by the kind of their JSON values, or objects by a ``Literal`` field.

    Raises:
        UnsupportedTypeError: They cannot be told apart.
    """

    def __init__(self, members: Sequence[Converter]) -> None:
        self.name = " | ".join(member.name for member in members)
        self.forms = frozenset[str]().union(*(member.forms for member in members))
        self.is_plain = all(member.is_plain for member in members)
        self.is_checked = all(member.is_checked for member in members)
        if self.is_plain:
            self.exact = frozenset[type]().union(*(member.exact or () for member in members))
        self._members = members
        self._by_form = {form: self._member_of(form) for form in sorted(self.forms)}

    def _member_of(self, form: str) -> Converter:
        members = [member for member in self._members if form in member.forms]
        if len(members) == 1 or all(member.is_plain for member in members):
            return members[0]
        if form == "object" and (tag := _common_tag(members)) is not None:
            return _Tagged(tag, members)
        names = " and ".join(member.name for member in members)
        raise UnsupportedTypeError(f"{names} are all written as a JSON {form}")

    def encode(self, value: Any) -> Any:
        if not self.is_checked:
            return value
        typed = [member for member in self._members if member is not NULL]
        if value is None and len(typed) < len(self._members):
            return None
        if len(typed) == 1:
            try:
                return typed[0].encode(value)
            except Mismatch as mismatch:
                # Within the value, the place is more useful than the whole union.
                raise (mismatch if mismatch.path else Mismatch(value, self.name, mismatch.advice)) from None
        return self._first_that_fits(typed, value)

    def _first_that_fits(self, members: Sequence[Converter], value: Any) -> Any:
        inner: Mismatch | None = None
        for member in members:
            try:
                return member.encode(value)
            except Mismatch as mismatch:
                inner = mismatch if mismatch.path else inner
        raise inner or Mismatch(value, self.name)

    def decode(self, value: Any) -> Any:
        if self.is_plain:
            return value
        member = self._by_form.get(form_of(value) or "")
        if member is None:
            raise Mismatch(value, self.name)
        return member.decode(value)


class _Tagged(Converter):
    """Objects that are told apart by a field."""

    def __init__(self, tag: str, members: Sequence[Converter]) -> None:
        self._tag = tag
        self._members = {value: member for member in members for value in member.tags[tag]}

    def encode(self, value: Any) -> Any:
        raise NotImplementedError  # The union asks its members.

    def decode(self, value: Any) -> Any:
        tag: Any = value.get(self._tag)
        member = self._members.get(tag) if isinstance(tag, (str, int)) else None
        if member is None:
            raise Mismatch(tag, f"one of {sorted(map(repr, self._members))} as {self._tag!r}").at(f".{self._tag}")
        return member.decode(value)


def _common_tag(members: Sequence[Converter]) -> str | None:
    """A field that all members have, with different values in each."""
    for name in members[0].tags:
        values = [member.tags.get(name, frozenset()) for member in members]
        if all(values) and len(frozenset[Any]().union(*values)) == sum(map(len, values)):
            return name
    return None
