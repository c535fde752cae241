"""Classes with fields: dataclasses, typed dicts and named tuples."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from honker.codec.choices import LiteralOf
from honker.codec.converter import Converter, Mismatch, expect

_OBJECT = frozenset({"object"})


class Field(NamedTuple):
    """A field of a class.

    Attributes:
        name: Its name.
        converter: The converter of its values.
        is_required: False if it may be left out.
    """

    name: str
    converter: Converter
    is_required: bool


def _tags(fields: Sequence[Field]) -> dict[str, frozenset[Any]]:
    return {each.name: each.converter.values for each in fields if isinstance(each.converter, LiteralOf)}


def refuse_subclass(value: Any, kind: type, name: str) -> Mismatch:
    """The mismatch of a value that is of another class, or of a subclass whose own fields would be lost."""
    if isinstance(value, kind):
        return Mismatch(value, f"{name} itself", "a subclass would come back without its own fields; annotate it")
    return Mismatch(value, name)


class DataclassOf(Converter):
    """Instances of a dataclass, written as objects of the fields that its constructor takes."""

    forms = _OBJECT

    def __init__(self, kind: type, fields: Sequence[Field], name: str) -> None:
        self.name = name
        self.tags = _tags(fields)
        self._kind = kind
        self._fields = fields

    def encode(self, value: Any) -> Any:
        if type(value) is not self._kind:
            raise refuse_subclass(value, self._kind, self.name)
        done: dict[str, Any] = {}
        for name, converter, _ in self._fields:
            try:
                done[name] = converter.encode(getattr(value, name))
            except Mismatch as mismatch:
                raise mismatch.at(f".{name}") from None
            except AttributeError:
                raise Mismatch(value, f"{self.name} with a value of {name!r}") from None
        return done

    def decode(self, value: Any) -> Any:
        found = _decoded(expect(value, dict, f"{self.name} as an object"), self._fields, self.name)
        try:
            return self._kind(**found)
        except Exception as error:
            raise Mismatch(value, self.name, f"its constructor raised {type(error).__name__}: {error}") from error


def _decoded(value: dict[str, Any], fields: Sequence[Field], name: str) -> dict[str, Any]:
    """The fields of an object; unknown ones are left out, so that a newer producer may add some."""
    found: dict[str, Any] = {}
    for field in fields:
        if field.name not in value:
            if field.is_required:
                raise Mismatch(value, f"{name} with the field {field.name!r}")
            continue
        try:
            found[field.name] = field.converter.decode(value[field.name])
        except Mismatch as mismatch:
            raise mismatch.at(f".{field.name}") from None
    return found


class TypedDictOf(Converter):
    """Typed dicts, written as objects."""

    forms = _OBJECT

    def __init__(self, fields: Sequence[Field], name: str) -> None:
        self.name = name
        self.tags = _tags([field for field in fields if field.is_required])
        self.is_plain = all(field.converter.is_plain for field in fields)
        self._fields = {field.name: field for field in fields}

    def encode(self, value: Any) -> Any:
        found = expect(value, dict, self.name)
        unknown = next((key for key in found if key not in self._fields), None)
        if unknown is not None:
            raise Mismatch(found, f"{self.name}, which has no key {unknown!r}")
        done: dict[str, Any] = {}
        for name, field in self._fields.items():
            if name in found:
                try:
                    done[name] = field.converter.encode(found[name])
                except Mismatch as mismatch:
                    raise mismatch.at(f"[{name!r}]") from None
            elif field.is_required:
                raise Mismatch(found, f"{self.name} with the key {name!r}")
        return done

    def decode(self, value: Any) -> Any:
        if self.is_plain:
            return value
        return _decoded(expect(value, dict, f"{self.name} as an object"), list(self._fields.values()), self.name)


class NamedTupleOf(Converter):
    """Named tuples, written as arrays, as ``json`` does. Trailing fields with defaults may be missing."""

    forms = frozenset({"array"})

    def __init__(self, kind: Any, fields: Sequence[Field], name: str) -> None:
        self.name = name
        self._kind = kind
        self._fields = fields

    def encode(self, value: Any) -> Any:
        if type(value) is not self._kind:
            raise refuse_subclass(value, self._kind, self.name)
        done: list[Any] = []
        for field, item in zip(self._fields, cast("tuple[Any, ...]", value), strict=True):
            try:
                done.append(field.converter.encode(item))
            except Mismatch as mismatch:
                raise mismatch.at(f".{field.name}") from None
        return done

    def decode(self, value: Any) -> Any:
        items: list[Any] = expect(value, list, f"{self.name} as an array")
        required = sum(field.is_required for field in self._fields)
        if len(items) < required:
            raise Mismatch(items, f"{self.name}, of at least {required} items")
        done: dict[str, Any] = {}
        for field, item in zip(self._fields, items, strict=False):
            try:
                done[field.name] = field.converter.decode(item)
            except Mismatch as mismatch:
                raise mismatch.at(f".{field.name}") from None
        return self._kind(**done)


def dataclass_fields(kind: type) -> list[tuple[str, bool]]:
    """The fields that the constructor of a dataclass takes, and True for those without a default."""
    missing = dataclasses.MISSING
    return [
        (field.name, field.default is missing and field.default_factory is missing)
        for field in dataclasses.fields(kind)
        if field.init
    ]
