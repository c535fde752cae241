"""Rows that are read with their fields as attributes, and by name like the dicts that they replace."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, Self


class Record(Mapping[str, Any]):
    """The base of frozen dataclasses that are mappings too: ``row.state`` and ``row["state"]`` are the same.

    Decorate a subclass with ``@dataclass(frozen=True, kw_only=True, eq=False)``: it then equals any mapping with the
    same items.
    """

    __slots__ = ()

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """A record of a row of the engine; fields that this version does not have are left out."""
        names = cls._names()
        return cls(**{name: value for name, value in row.items() if name in names})

    @classmethod
    def _names(cls) -> dict[str, None]:
        return _names_of(cls)

    def __getitem__(self, name: str) -> Any:
        if name not in self._names():
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def __len__(self) -> int:
        return len(self._names())


@functools.cache
def _names_of(cls: type[Record]) -> dict[str, None]:
    """The names of the fields, in order. Kept, because lists make thousands of records."""
    return dict.fromkeys(field.name for field in fields(cls))  # pyright: ignore[reportArgumentType] - subclasses are
