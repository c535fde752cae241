"""Lists of records: a table for people, JSON lines or CSV for programs."""

from __future__ import annotations

import csv
import io
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from unicodedata import combining, east_asian_width

import click

from honker.cli.moments import now
from honker.cli.output import Output, bright, faint, json_option, local_time, visible

#: A record that can be printed, with plain values.
Row: TypeAlias = Mapping[str, Any]

_GAP: Final = "  "
_SHORTEST: Final = 8
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: Its heading.
        show: Makes the text of a record's cell.
        is_right: True to align it right, for numbers.
        is_flexible: True if it may be cut to fit the terminal.
        style: Colours the text of a cell; None leaves it plain.
    """

    title: str
    show: Callable[[Row], str]
    is_right: bool = False
    is_flexible: bool = False
    style: Callable[[str], str] | None = None


def name_column(title: str, field: str) -> Column:
    """A column of names, highlighted."""
    return Column(title, lambda row: text(row[field]), style=bright)


def text_column(title: str, field: str, *, is_flexible: bool = False) -> Column:
    """A column of texts."""
    return Column(title, lambda row: text(row[field]), is_flexible=is_flexible)


def number_column(title: str, field: str) -> Column:
    """A column of numbers."""
    return Column(title, lambda row: text(row[field]), is_right=True)


def age_column(title: str, field: str) -> Column:
    """A column of instants, shown as their distance from now."""
    return Column(title, lambda row: distance(row[field]), is_right=True, style=faint)


def text(value: Any) -> str:
    """The text of a value for people: one line, without control characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return visible(str(value))


def distance(unix: float | None) -> str:
    """The distance of an instant from now, as in ``5m ago`` or ``in 2h``."""
    if unix is None:
        return "-"
    seconds = unix - now()
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def span(seconds: float | None) -> str:
    """A length of time in its largest unit, as in ``5m``."""
    if seconds is None:
        return "-"
    for unit_s, unit in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "m")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f}{unit}"
    return f"{seconds:.0f}s"


def count(value: int, *, is_exact: bool) -> str:
    """A count for people; one that stopped at its bound ends with a plus sign."""
    return f"{value:,}" if is_exact else f"{value:,}+"


def moment(unix: float | None) -> str:
    """Local time of an instant, or a dash."""
    return "-" if unix is None else local_time(unix)


#: The option ``-n`` of a list.
limit_option = click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N", help="Print at most N."
)


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options ``--json`` and ``--csv`` of a command that prints a list."""
    as_csv = click.option("--csv", "is_csv", is_flag=True, help="Print comma-separated values with a line of names.")
    return json_option(as_csv(command))


@dataclass(frozen=True)
class Listing:
    """The output of a list.

    Attributes:
        is_json: Print JSON lines.
        is_csv: Print CSV.
    """

    is_json: bool
    is_csv: bool

    def __post_init__(self) -> None:
        if self.is_json and self.is_csv:
            raise click.UsageError("--json and --csv exclude each other; give one of them")

    def print(self, rows: Iterable[Row], columns: Sequence[Column], *, empty: str) -> None:
        """Print the records: all fields for programs, the columns for people.

        Args:
            rows: The records.
            columns: The columns of the table.
            empty: The line that people see if there is no record.
        """
        output = Output(is_json=self.is_json)
        if self.is_json:
            for row in rows:
                output.line("", row)
        elif self.is_csv:
            for line in _csv_lines(list(rows)):
                output.line(line, {})
        else:
            shown = list(rows)
            for line in table(shown, columns) if shown else [faint(empty)]:
                output.line(line, {})


def _csv_lines(rows: Sequence[Row]) -> Iterable[str]:
    if not rows:
        return
    names = list(rows[0])
    for values in (names, *([row[name] for name in names] for row in rows)):
        buffer = io.StringIO()
        # With another line terminator, Python before 3.13 leaves line breaks of a value without quotes.
        csv.writer(buffer, lineterminator="\r\n").writerow([_csv_value(each) for each in values])
        yield buffer.getvalue().removesuffix("\r\n")


def _csv_value(value: Any) -> Any:
    """A value as CSV. A spreadsheet runs text that begins like a formula, so such text gets an apostrophe.

    Escape sequences of terminals are escaped: click removes them from the output of a pipe, and stored text must not
    move the cursor.
    """
    if isinstance(value, str):
        value = value.replace("\x1b", "\\u001b").replace("\x9b", "\\u009b")
        return f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value
    if isinstance(value, (list, tuple, dict)):
        return Output.json_text(value)
    return value


def table(rows: Sequence[Row], columns: Sequence[Column], width: int | None = None) -> list[str]:
    """The lines of a table with a heading. On a terminal, columns are cut or left out until a line fits.

    Args:
        rows: The records.
        columns: Its columns.
        width: The characters of a line; None means those of the terminal, and no limit elsewhere.
    """
    if width is None and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
    cells = [[column.show(row) for column in columns] for row in rows]
    widths = [max(map(columns_of, own)) for own in zip([column.title for column in columns], *cells, strict=True)]
    if width is not None:
        widths = _narrowed(widths, columns, width)
    heading = faint(_line([column.title for column in columns], widths, columns, plain=True))
    return [heading, *(_line(each, widths, columns) for each in cells)]


def _narrowed(widths: list[int], columns: Sequence[Column], width: int) -> list[int]:
    """The widths of the columns that fit a line.

    The widest flexible column is cut again and again, then other texts. A number is never cut, so at last columns are
    left out from the right.
    """
    widths = list(widths)
    flexible = [index for index, column in enumerate(columns) if column.is_flexible]
    texts = [index for index, column in enumerate(columns) if not column.is_right]
    for candidates in (flexible, texts):
        while (surplus := _length(widths) - width) > 0:
            widest = max(candidates, key=lambda index: widths[index], default=None)
            if widest is None or widths[widest] <= _SHORTEST:
                break
            second = max((widths[index] for index in candidates if index != widest), default=_SHORTEST)
            widths[widest] = max(_SHORTEST, widths[widest] - surplus, min(second, widths[widest] - 1))
    while len(widths) > 1 and _length(widths) > width:
        widths.pop()
    return [min(each, width) for each in widths]


def _length(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column], *, plain: bool = False) -> str:
    parts: list[str] = []
    for cell, width, column in zip(cells, widths, columns, strict=False):  # columns without a width are left out
        fitted = fit(cell, width)
        padding = " " * (width - columns_of(fitted))
        styled = fitted if plain or column.style is None or not fitted else column.style(fitted)
        parts.append(padding + styled if column.is_right else styled + padding)
    return _GAP.join(parts).rstrip()


def fit(content: str, width: int) -> str:
    """A text without colours, cut to a number of terminal columns."""
    if columns_of(content) <= width:
        return content
    left = width - 1
    kept: list[str] = []
    for each in content:
        left -= columns_of(each)
        if left < 0:
            break
        kept.append(each)
    return "".join(kept) + "…"


def columns_of(content: str) -> int:
    """The columns that a terminal needs for a text: letters of East Asia take two, accents of their own none."""
    if content.isascii():
        return len(content)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in {"W", "F"} else 1 for each in content)
