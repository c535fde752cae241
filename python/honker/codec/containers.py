"""Lists, sets, tuples and dicts of typed values."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from honker.codec.converter import UNCHECKED, Converter, Mismatch, each, expect, shown_value
from honker.codec.scalars import BOOLEAN, INTEGER, NUMBER, STRING

_ARRAY = frozenset({"array"})


def _is_exact(item: Converter, values: Iterable[Any]) -> bool:
    """True if all items are valid as they are, by their types alone."""
    return not item.is_checked or (item.exact is not None and set(map(type, values)) <= item.exact)


class ListOf(Converter):
    """Lists. A tuple is accepted: the function receives a list."""

    forms = _ARRAY

    def __init__(self, item: Converter, kind: str = "list") -> None:
        self.name = f"{kind}[{item.name}]" if item.is_checked else kind
        self.is_plain = item.is_plain
        self._item = item
        if not item.is_checked:
            self.exact = frozenset({list, tuple})

    def encode(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise Mismatch(value, self.name)
        values = cast("list[Any] | tuple[Any, ...]", value)
        if _is_exact(self._item, values):
            return values
        return each(self._item.encode, values)

    def decode(self, value: Any) -> Any:
        if self.is_plain:
            return value
        return each(self._item.decode, expect(value, list, self.name))


class SetOf(Converter):
    """Sets, written as arrays in a stable order."""

    forms = _ARRAY

    def __init__(self, kind: Callable[[Iterable[Any]], Any], item: Converter) -> None:
        name = "frozenset" if kind is frozenset else "set"
        self.name = f"{name}[{item.name}]" if item.is_checked else name
        self._kind = kind
        self._item = item

    def encode(self, value: Any) -> Any:
        if not isinstance(value, (set, frozenset)):
            raise Mismatch(value, self.name)
        encoded = each(self._item.encode, cast("set[Any]", value))
        if not self._item.is_checked and any(isinstance(item, tuple) for item in encoded):
            # It would come back as a list, which no set can hold.
            raise Mismatch(value, f"{self.name} of single values", "annotate its items, as in set[tuple[int, str]]")
        try:
            return sorted(encoded)
        except TypeError:  # Values of several kinds have no order.
            return sorted(encoded, key=_text)

    def decode(self, value: Any) -> Any:
        try:
            return self._kind(each(self._item.decode, expect(value, list, f"{self.name} as an array")))
        except TypeError as error:
            raise Mismatch(value, self.name, str(error)) from None


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=shown_value)


class TupleOf(Converter):
    """Tuples of any length with items of one type. A list is accepted: the function receives a tuple."""

    forms = _ARRAY

    def __init__(self, item: Converter) -> None:
        self.name = f"tuple[{item.name}, ...]" if item.is_checked else "tuple"
        self._item = item

    def encode(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise Mismatch(value, self.name)
        return each(self._item.encode, cast("list[Any]", value))

    def decode(self, value: Any) -> Any:
        return tuple(each(self._item.decode, expect(value, list, f"{self.name} as an array")))


class FixedTuple(Converter):
    """Tuples with a type for each position."""

    forms = _ARRAY

    def __init__(self, items: list[Converter]) -> None:
        self.name = f"tuple[{', '.join(item.name for item in items) or '()'}]"
        self._items = items

    def encode(self, value: Any) -> Any:
        return self._each(value, (list, tuple), lambda converter: converter.encode)

    def decode(self, value: Any) -> Any:
        return tuple(self._each(value, (list,), lambda converter: converter.decode))

    def _each(self, value: Any, kinds: tuple[type, ...], way: Callable[[Converter], Callable[[Any], Any]]) -> list[Any]:
        if not isinstance(value, kinds):
            raise Mismatch(value, self.name)
        items = cast("list[Any]", value)
        if len(items) != len(self._items):
            raise Mismatch(value, f"{self.name}, of {len(self._items)} items")
        return each(lambda pair: way(pair[0])(pair[1]), zip(self._items, items, strict=True))


class Keys:
    """The keys of an object, written as text as ``json`` does."""

    def __init__(self, key: Converter) -> None:
        self.converter = key

    def encode(self, key: Any) -> str:
        plain = self.converter.encode(key)
        if isinstance(plain, str):
            return plain
        if isinstance(plain, bool):
            return _BOOLEANS[plain]
        return int.__repr__(plain) if isinstance(plain, int) else float.__repr__(plain)

    def decode(self, text: str) -> Any:
        converter = self.converter
        try:
            if converter.forms == STRING.forms:
                return converter.decode(text)
            if converter is BOOLEAN:
                return {name: value for value, name in _BOOLEANS.items()}[text]
            return converter.decode(float(text) if converter is NUMBER else int(text))
        except (ValueError, KeyError):
            raise Mismatch(text, f"a key of type {converter.name}") from None

    @staticmethod
    def fit(key: Converter) -> bool:
        """True if a type can be the key of an object."""
        return key.forms == STRING.forms or key in {INTEGER, NUMBER, BOOLEAN} or key.forms == frozenset({"integer"})


_BOOLEANS = {True: "true", False: "false"}


class DictOf(Converter):
    """Dicts that are written as objects."""

    forms = frozenset({"object"})

    def __init__(self, key: Converter, item: Converter, kind: str = "dict") -> None:
        is_named = key.is_checked or item.is_checked
        self.name = f"{kind}[{key.name}, {item.name}]" if is_named else kind
        # Other keys than text come back from JSON as text.
        self._keys = Keys(key) if key.is_checked and key is not STRING else None
        self.is_plain = item.is_plain and self._keys is None
        self._key = key
        self._item = item
        if not item.is_checked and self._keys is None:
            # Keys of other types become the text that is declared.
            self.exact = frozenset({dict})

    def encode(self, value: Any) -> Any:
        if not isinstance(value, dict) and not isinstance(value, Mapping):
            raise Mismatch(value, self.name)
        items = cast("Mapping[Any, Any]", value)
        found = items if isinstance(items, dict) else dict(items)
        if self._keys is None and _is_exact(self._key, found) and _is_exact(self._item, found.values()):
            return found
        write = self._key.encode if self._keys is None else self._keys.encode
        return _each_item(found, write, self._item.encode)

    def decode(self, value: Any) -> Any:
        if self.is_plain:
            return value
        read = _same if self._keys is None else self._keys.decode
        return _each_item(expect(value, dict, self.name), read, self._item.decode)


class MixedKeysOf(DictOf):
    """Dicts with keys of several types of JSON, which all become text."""

    def __init__(self, item: Converter) -> None:
        super().__init__(UNCHECKED, item)
        self.exact = None

    def encode(self, value: Any) -> Any:
        encoded: dict[Any, Any] = super().encode(value)
        if len({key if isinstance(key, str) else _text(key) for key in encoded}) < len(encoded):
            raise Mismatch(value, f"{self.name} whose keys differ as text", "one of two such keys would be lost")
        return encoded


class PairsOf(Converter):
    """Dicts whose keys are no text: written as an array of pairs."""

    forms = _ARRAY

    def __init__(self, key: Converter, item: Converter) -> None:
        self.name = f"dict[{key.name}, {item.name}]"
        self._pairs = ListOf(FixedTuple([key, item]))

    def encode(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Mismatch(value, self.name)
        return self._pairs.encode(list(cast("Mapping[Any, Any]", value).items()))

    def decode(self, value: Any) -> Any:
        try:
            return dict(self._pairs.decode(expect(value, list, f"{self.name} as an array of pairs")))
        except TypeError as error:
            raise Mismatch(value, self.name, str(error)) from None


def _each_item(
    items: dict[Any, Any], write_key: Callable[[Any], Any], write_item: Callable[[Any], Any]
) -> dict[Any, Any]:
    done: dict[Any, Any] = {}
    for key, item in items.items():
        try:
            done[write_key(key)] = write_item(item)
        except Mismatch as mismatch:
            raise mismatch.at(f"[{shown_value(key)}]") from None
    return done


def _same(key: str) -> str:
    return key
