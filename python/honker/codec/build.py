"""The converter of an annotation."""

from __future__ import annotations

import dataclasses
import typing
from collections import abc
from collections.abc import Callable
from enum import Enum
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

from honker.codec import classes, hints
from honker.codec.choices import EnumOf, LiteralOf
from honker.codec.containers import DictOf, FixedTuple, Keys, ListOf, MixedKeysOf, PairsOf, SetOf, TupleOf
from honker.codec.converter import UNCHECKED, Converter, Postponed, UnsupportedTypeError
from honker.codec.models import model_converter
from honker.codec.scalars import SCALARS
from honker.codec.unions import UnionOf

_MAPPINGS: Final = frozenset({dict, abc.Mapping, abc.MutableMapping})
#: Types of which JSON makes a list, and which an application may have passed as something else until now.
_LOOSE_LISTS: Final = frozenset({abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable})
_SETS: Final[dict[Any, Callable[..., Any]]] = {set: set, abc.MutableSet: set, frozenset: frozenset, abc.Set: frozenset}


#: Makes the converter of a class from the class, the converters of its fields by name, and its name.
_Maker: TypeAlias = "Callable[[Any, Callable[[str], Converter], str], Converter]"


class Builder:
    """Builds the converters of the annotations of one function.

    Args:
        scope: The names that they use.
    """

    def __init__(self, scope: hints.Scope) -> None:
        self._scope = scope
        self._postponed: dict[Any, Postponed] = {}

    def build(self, hint: Any) -> Converter:
        """The converter of a type; `UNCHECKED` for one that is left to JSON.

        Raises:
            UnknownNameError: A name in it is not defined.
            UnsupportedTypeError: The members of a union in it cannot be told apart, or a model cannot be read back.
        """
        hint = hints.bare(hint)
        if _is_hashable(hint) and hint in SCALARS:
            return SCALARS[hint]
        return self._indirect(hint) or self._choice(hint) or self._composed(hint)

    def _indirect(self, hint: Any) -> Converter | None:
        """The converter of a name for a type."""
        written = hints.text_of(hint)
        if written is not None:
            return self._named(written, written, lambda: self._scope.hint(hint))
        if isinstance(hint, TypeVar):
            return self.build(hints.bound_of(hint))
        if hasattr(hint, "__value__"):  # an alias of the statement `type`
            return self._named(hint, hint.__name__, lambda: hint.__value__)
        return None

    def _choice(self, hint: Any) -> Converter | None:
        arguments = typing.get_args(hint)
        if typing.get_origin(hint) in {typing.Union, UnionType}:
            return UnionOf([self.build(each) for each in arguments])
        if typing.get_origin(hint) is Literal:
            enums = {type(each) for each in arguments if isinstance(each, Enum)}
            return LiteralOf(arguments, {kind: EnumOf(kind) for kind in enums})
        return None

    def _composed(self, hint: Any) -> Converter:
        kind: Any = typing.get_origin(hint) or hint
        arguments = typing.get_args(hint)
        if not _is_hashable(kind):
            return UNCHECKED
        if kind in _MAPPINGS:
            return self._dict(self._argument(arguments, 0), self._argument(arguments, 1))
        return self._array(kind, arguments) or self._class(hint, kind, arguments) or UNCHECKED

    def _named(self, key: Any, name: str, hint: Callable[[], Any]) -> Converter:
        """The converter of a type with a name, which may stand within itself."""
        known = self._postponed.get(key)
        if known is not None:
            return known.target or known
        postponed = self._postponed[key] = Postponed(name)
        try:
            postponed.target = self.build(hint())
        except BaseException:
            del self._postponed[key]
            raise
        return postponed.target

    def _array(self, kind: Any, arguments: tuple[Any, ...]) -> Converter | None:
        if kind is tuple:
            return self._tuple(arguments)
        if kind is list:
            return ListOf(self._argument(arguments, 0))
        if kind in _SETS:
            return SetOf(_SETS[kind], self._argument(arguments, 0))
        if kind in _LOOSE_LISTS:
            item = self._argument(arguments, 0)
            return UNCHECKED if item.is_plain else ListOf(item, kind.__name__)
        return None

    def _argument(self, arguments: tuple[Any, ...], position: int) -> Converter:
        return self.build(arguments[position]) if len(arguments) > position else UNCHECKED

    def _tuple(self, arguments: tuple[Any, ...]) -> Converter:
        if not arguments:
            return TupleOf(UNCHECKED)
        if len(arguments) == 2 and arguments[1] is Ellipsis:  # noqa: PLR2004
            return TupleOf(self.build(arguments[0]))
        return FixedTuple([] if arguments == ((),) else [self.build(each) for each in arguments])

    def _dict(self, key: Converter, item: Converter) -> Converter:
        if not key.is_checked or Keys.fit(key):
            return DictOf(key, item)
        # JSON makes text of plain keys of several types; it always has, and others read it.
        return MixedKeysOf(item) if key.is_plain else PairsOf(key, item)

    def _class(self, hint: Any, kind: Any, arguments: tuple[Any, ...]) -> Converter | None:
        if not isinstance(kind, type):
            return None
        if issubclass(kind, Enum):
            return EnumOf(kind)
        # A generic model of pydantic is a class for each choice of its arguments.
        model = model_converter(hint if isinstance(hint, type) else kind)
        make = self._maker(cast("Any", kind))
        return self._recursive(hint, kind, arguments, make) if model is None and make is not None else model

    def _maker(self, kind: Any) -> _Maker | None:
        """The method that makes the converter of a class with fields; None for other classes."""
        if dataclasses.is_dataclass(kind):
            return self._dataclass
        is_typed_dict = hasattr(kind, "__required_keys__")
        if is_typed_dict and issubclass(kind, dict):
            return self._typed_dict
        is_named_tuple = hasattr(kind, "_field_defaults")
        return self._named_tuple if is_named_tuple and issubclass(kind, tuple) else None

    def _recursive(self, hint: Any, kind: Any, arguments: tuple[Any, ...], make: _Maker) -> Converter:
        """The converter of a class with fields, whose fields may be of the class itself."""
        key = hint if _is_hashable(hint) else id(hint)
        known = self._postponed.get(key)
        if known is not None:
            return known.target or known
        name: str = kind.__name__
        postponed = self._postponed[key] = Postponed(name, _class_forms(kind))
        try:
            types = self._scope.class_hints(kind)
            variables = hints.variables_of(kind, arguments)

            def field(name: str) -> Converter:
                return self.build(hints.substituted(hints.bare(types.get(name, Any)), variables))

            postponed.target = make(kind, field, name)
        except BaseException:
            del self._postponed[key]
            raise
        return postponed.target

    def _dataclass(self, kind: Any, field: Callable[[str], Converter], name: str) -> Converter:
        pseudo_fields = cast("dict[str, Any]", kind.__dataclass_fields__).values()
        if any(repr(each._field_type) == "_FIELD_INITVAR" for each in pseudo_fields):
            raise UnsupportedTypeError(f"the dataclass {name} has an InitVar, which its instances do not keep")
        fields = [classes.Field(each, field(each), needed) for each, needed in classes.dataclass_fields(kind)]
        return classes.DataclassOf(kind, fields, name)

    def _typed_dict(self, kind: Any, field: Callable[[str], Converter], name: str) -> Converter:
        types = self._scope.class_hints(kind)
        required = cast("frozenset[str]", kind.__required_keys__)
        fields = [
            classes.Field(each, field(each), hints.is_required(hint, default=each in required))
            for each, hint in types.items()
        ]
        return classes.TypedDictOf(fields, name)

    def _named_tuple(self, kind: Any, field: Callable[[str], Converter], name: str) -> Converter:
        fields = [classes.Field(each, field(each), each not in kind._field_defaults) for each in kind._fields]
        return classes.NamedTupleOf(kind, fields, name)


def _class_forms(kind: Any) -> frozenset[str]:
    is_array = issubclass(kind, tuple)
    return classes.NamedTupleOf.forms if is_array else classes.DataclassOf.forms


def _is_hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:  # The metadata of Annotated may be anything.
        return False
    return True
