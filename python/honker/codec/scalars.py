"""Single values: those of JSON, and those that are written as text."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any, Final
from uuid import UUID

from honker.codec.converter import Converter, Mismatch, expect


class Plain(Converter):
    """A type of JSON itself."""

    is_plain = True

    def __init__(self, name: str, kinds: tuple[type, ...], forms: frozenset[str], exact: frozenset[type]) -> None:
        self.name = name
        self.forms = forms
        self.exact = exact
        self._kinds = kinds

    def encode(self, value: Any) -> Any:
        if isinstance(value, self._kinds):
            return value
        raise Mismatch(value, self.name)

    def decode(self, value: Any) -> Any:
        return value


class Text(Converter):
    """A type that is written as text."""

    forms = frozenset({"string"})

    def __init__(self, kind: type, write: Callable[[Any], str], read: Callable[[str], Any], advice: str = "") -> None:
        self.name = kind.__name__
        self._kind = kind
        self._write = write
        self._read = read
        self._advice = advice

    def encode(self, value: Any) -> Any:
        if not isinstance(value, self._kind):
            raise Mismatch(value, self.name, self._advice)
        return self._write(value)

    def decode(self, value: Any) -> Any:
        text = expect(value, str, f"{self.name} as text")
        try:
            return self._read(text)
        except (ValueError, ArithmeticError) as error:
            raise Mismatch(value, f"{self.name} as text", str(error)) from None


class DateText(Text):
    """A date. A datetime is a date for Python, but would lose its time."""

    def encode(self, value: Any) -> Any:
        if isinstance(value, datetime):
            raise Mismatch(value, self.name, "pass value.date(), or annotate the parameter with datetime")
        return super().encode(value)


def write_timedelta(value: timedelta) -> str:
    """The ISO 8601 form of a duration, such as ``P1DT2H30M``, in days of 24 hours."""
    sign, value = ("-", -value) if value < timedelta(0) and value != timedelta.min else ("", value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}".rstrip("0") if value.microseconds else ""
    clock = "".join(
        [
            f"{hours}H" if hours else "",
            f"{minutes}M" if minutes else "",
            f"{seconds}{fraction}S" if seconds or fraction else "",
        ]
    )
    days = f"{value.days}D" if value.days or not clock else ""
    return f"{sign}P{days}{'T' if clock else ''}{clock}"


_DURATION: Final = re.compile(
    r"(?P<sign>-?)P(?:(?P<days>-?\d+)D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)(?:\.(?P<fraction>\d{1,6}))?S)?)?",
    re.ASCII,
)


def read_timedelta(text: str) -> timedelta:
    """The duration of an ISO 8601 text.

    Raises:
        ValueError: It is none of days, hours, minutes and seconds.
    """
    found = _DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError("a duration is such as P1DT2H30M or PT0.5S")
    parts = {name: int(found[name] or 0) for name in ("days", "hours", "minutes", "seconds")}
    microseconds = int((found["fraction"] or "").ljust(6, "0"))
    value = timedelta(microseconds=microseconds, **parts)
    return -value if found["sign"] else value


def _write_bytes(value: bytes | bytearray) -> str:
    return base64.b64encode(value).decode()


def _read_bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _read_bytearray(text: str) -> bytearray:
    return bytearray(_read_bytes(text))


_INTEGER: Final = frozenset({"integer", "boolean"})
INTEGER: Final = Plain("int", (int,), _INTEGER, frozenset({int, bool}))
STRING: Final = Plain("str", (str,), frozenset({"string"}), frozenset({str}))
NULL: Final = Plain("None", (type(None),), frozenset({"null"}), frozenset({type(None)}))
BOOLEAN: Final = Plain("bool", (bool,), frozenset({"boolean"}), frozenset({bool}))
NUMBER: Final = Plain("float", (float, int), _INTEGER | {"number"}, frozenset({float, int, bool}))

#: The converters of classes that need no further look at the annotation.
SCALARS: Final[dict[Any, Converter]] = {
    int: INTEGER,
    str: STRING,
    None: NULL,
    type(None): NULL,
    bool: BOOLEAN,
    float: NUMBER,
    datetime: Text(datetime, datetime.isoformat, datetime.fromisoformat),
    date: DateText(date, date.isoformat, date.fromisoformat),
    time: Text(time, time.isoformat, time.fromisoformat),
    timedelta: Text(timedelta, write_timedelta, read_timedelta),
    Decimal: Text(Decimal, str, Decimal, "pass a Decimal, which keeps every digit"),
    UUID: Text(UUID, str, UUID),
    bytes: Text(bytes, _write_bytes, _read_bytes),
    bytearray: Text(bytearray, _write_bytes, _read_bytearray),
    **{
        kind: Text(kind, str, kind) for kind in (Path, PurePath, PosixPath, PurePosixPath, WindowsPath, PureWindowsPath)
    },
}
