"""One frame of ``honker top``: lines that fit a terminal of any size."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click

from honker.cli.jobs import arguments
from honker.cli.listings import QUEUE_COLUMNS
from honker.cli.output import faint
from honker.cli.table import Column, Row, age_column, fit, name_column, span, table, text
from honker.cli.top.rates import Moves, Speed
from honker.cli.top.snapshot import Snapshot
from honker.cli.workers import COLUMNS as WORKER_COLUMNS

_MB: Final = 1_000_000
# From so many columns on, the rates of each queue have room beside its counts.
_WIDE: Final = 110
# Rates below this one have a decimal.
_SMALL: Final = 100
# Columns between the title and the facts at its right.
_TITLE_GAP: Final = 3
# The shares of queues, running jobs, workers and schedules.
_WEIGHTS: Final = (3, 3, 1.5, 1)
_COLOURS: Final = {"processing": "green", "blocked": "yellow", "dead": "red"}
_TOTALS: Final = ("ready", "delayed", "processing", "blocked", "waiting", "dead")


def frame(snapshot: Snapshot, columns: int, lines: int | None) -> list[str]:
    """The lines of a frame.

    Args:
        snapshot: The state to show.
        columns: The columns of the terminal.
        lines: The lines of the terminal; None shows everything.
    """
    head = [_title(snapshot, columns), _totals(snapshot, columns)]
    if snapshot.speed is not None:
        head.append(_rates(snapshot.speed, columns))
    sections = [
        (_queue_columns(snapshot.speed, columns), snapshot.queues, "no jobs"),
        (_running_columns(snapshot.at), snapshot.running, "no job is running"),
        (WORKER_COLUMNS, snapshot.workers, "no workers"),
        (_SCHEDULE_COLUMNS, snapshot.schedules, "no schedules"),
    ]
    shown = head
    rows = _share([len(each) for _, each, _ in sections], None if lines is None else lines - len(head))
    for (section_columns, content, empty), count in zip(sections, rows, strict=True):
        if count is not None:
            shown += ["", *_section(section_columns, content, count, columns, empty)]
    return shown if lines is None else shown[:lines]


def _section(columns: Sequence[Column], rows: Sequence[Row], most: int, width: int, empty: str) -> list[str]:
    if not rows:
        return [faint(fit(empty, width))]
    lines = table(rows[:most], columns, width)
    if len(rows) > most:
        lines[-1] = faint(fit(f"... {len(rows) - most + 1:,} more", width))
    return lines


def _share(wanted: Sequence[int], lines: int | None) -> list[int | None]:
    """The rows of each section; None leaves a section out that has no room.

    A section takes an empty line, a heading and its rows; one without rows takes two lines. The last sections are left
    out until each has two rows. A row goes to the section that has fewest in proportion to its weight.
    """
    if lines is None:
        return list(wanted)
    kept = len(wanted)
    while kept > 1 and lines - 2 * kept < sum(min(2, each) for each in wanted[:kept]):
        kept -= 1
    shares = [0] * kept
    for _ in range(lines - 2 * kept):
        open_sections = [index for index in range(kept) if shares[index] < wanted[index]]
        if not open_sections:
            break
        shares[min(open_sections, key=lambda index: shares[index] / _WEIGHTS[index])] += 1
    return [*(max(1, each) for each in shares), *[None] * (len(wanted) - kept)]


def _title(snapshot: Snapshot, columns: int) -> str:
    now = datetime.fromtimestamp(snapshot.at).isoformat(sep=" ", timespec="seconds")
    live = [each for each in snapshot.workers if each["state"] != "lost"]
    busy, slots = (sum(each[name] for each in live) for name in ("busy", "slots"))
    facts = f"{len(live)} workers, {busy} of {slots} busy   wal {snapshot.wal_bytes / _MB:.1f} MB   {now}"
    title = fit(f"honker top  {text(snapshot.title)}", columns)
    gap = columns - len(title) - len(facts)
    if gap < _TITLE_GAP:
        return click.style(title, bold=True)
    return click.style(title, bold=True) + " " * gap + facts


def _totals(snapshot: Snapshot, columns: int) -> str:
    parts: list[str] = []
    left = columns
    for name in _TOTALS:
        colour = _COLOURS.get(name)
        total = sum(each[name] for each in snapshot.queues)
        is_exact = all(each[f"{name}_is_exact"] for each in snapshot.queues)
        part = f"{'running' if name == 'processing' else name} {total:,}{'' if is_exact else '+'}"
        if len(part) + 2 * bool(parts) > left:
            break
        left -= len(part) + 2 * bool(parts)
        parts.append(click.style(part, fg=colour, bold=True) if total and colour else part)
    return "  ".join(parts)


def _rates(speed: Speed, columns: int) -> str:
    """The rates of all queues that have room, and their origin if it has."""
    line = "per second"
    for part in [f"{name} {_rate(value)}" for name, value in speed.total.items()] or ["-"]:
        if len(line) + 2 + len(part) > columns:
            return fit(line, columns)
        line += f"  {part}"
    note = f"   {speed.source}"
    return line + faint(note) if len(line) + len(note) <= columns else line


def _rate(value: float) -> str:
    """A rate with a decimal if it is small."""
    shown = f"{value:,.1f}" if abs(value) < _SMALL else f"{value:,.0f}"
    return "0" if shown in {"0.0", "-0.0"} else shown


def _queue_columns(speed: Speed | None, columns: int) -> Sequence[Column]:
    """The columns of queues, with their rates on a wide terminal: before the last column, the pause."""
    if speed is None or not speed.queues or columns < _WIDE:
        return QUEUE_COLUMNS
    queues = speed.queues

    def column(title: str, name: str, colour: str | None = None) -> Column:
        return Column(
            title,
            lambda row: _rate(getattr(queues.get(row["queue"], Moves()), name)),
            is_right=True,
            style=lambda cell: cell if cell.strip() == "0" else click.style(cell, fg=colour),
        )

    rates = (column("in/s", "enqueued"), column("done/s", "done", "green"), column("failed/s", "failed", "red"))
    return (*QUEUE_COLUMNS[:-1], *rates, QUEUE_COLUMNS[-1])


def _running_columns(now: float) -> tuple[Column, ...]:
    """The columns of running jobs, with the time since their claim."""
    return (
        Column("running", lambda row: str(row["id"]), is_right=True),
        name_column("queue", "queue"),
        Column("task", lambda row: text(row["task"]), is_flexible=True),
        Column("for", lambda row: "-" if row["since"] is None else span(max(0.0, now - row["since"])), is_right=True),
        Column("attempt", lambda row: f"{row['attempts']}/{row['max_attempts']}", is_right=True),
        Column("progress", _progress, is_flexible=True, style=lambda cell: click.style(cell, fg="green")),
        Column("arguments", lambda row: text(arguments(row["payload"])), is_flexible=True),
    )


_BAR: Final = 10


def _progress(row: Row) -> str:
    progress: dict[str, Any] | None = row["progress"]
    if progress is None or not progress["total"]:
        return ""
    share = min(1.0, max(0.0, progress["done"] / progress["total"]))
    filled = int(share * _BAR)
    note = f" {text(progress['note'])}" if progress["note"] else ""
    return "#" * filled + "." * (_BAR - filled) + f" {share:4.0%}{note}"


_SCHEDULE_COLUMNS: Final = (
    name_column("schedule", "name"),
    Column("queue", lambda row: text(row["queue"])),
    Column("times", lambda row: text(row["cron_expr"]), is_flexible=True),
    age_column("next", "next_fire_at"),
)
