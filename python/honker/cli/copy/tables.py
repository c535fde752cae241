"""The tables that a copy moves, with the form of each column on both engines.

A row on its way has one form: instants and spans in whole milliseconds, as PostgreSQL stores them, and flags as bool.
So the digests of both sides can be compared.

Locks, workers, notifications, and counts by minute stay behind: they belong to processes that end, or have another form
on the other engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

#: A value of a row on its way.
Value: TypeAlias = "int | float | str | bool | None"
Record: TypeAlias = "tuple[Value, ...]"


class MalformedValueError(Exception):
    """A value of a file has a type that its column never has."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The form of a column.

    Attributes:
        of_file: Converts a stored value of SQLite, not NULL, for the way.
        to_file: Converts it back.
    """

    of_file: Callable[[Any], Value]
    to_file: Callable[[Any], Value]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedValueError(f"holds a {type(value).__name__} and no text")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int):
        raise MalformedValueError(f"holds {value!r} and no integer")
    return value


def _real(value: Any) -> float:
    if not isinstance(value, int | float):
        raise MalformedValueError(f"holds {value!r} and no number")
    return float(value)


def _milliseconds(value: Any) -> int:
    """Of seconds, which a file holds as an integer if they are whole."""
    if not isinstance(value, int | float):
        raise MalformedValueError(f"holds {value!r} and no time")
    return value * 1000 if isinstance(value, int) else round(value * 1000)


def _seconds(milliseconds: int) -> int | float:
    return milliseconds / 1000 if milliseconds % 1000 else milliseconds // 1000


def _same(value: Any) -> Value:
    return value


TEXT: Final = Kind(_text, _same)
INTEGER: Final = Kind(_integer, _same)
REAL: Final = Kind(_real, _same)
TIME: Final = Kind(_milliseconds, _seconds)
FLAG: Final = Kind(lambda value: bool(_integer(value)), int)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of both engines.

    Attributes:
        name: Its name in the schema ``honker``, by which users know it.
        file_name: Its name in a file.
        key: The columns of its primary key, in whose order rows are copied.
        columns: The kind of each column, by its name in the schema.
        file_columns: The names of columns that have another one in a file.
        condition: The rows that are copied, as SQL of both engines; empty for all.
        holds_data: False if a fresh database may have rows of it.
        dated: A column of the schema alone, which gets the time of the copy.
    """

    name: str
    file_name: str
    key: tuple[str, ...]
    columns: Mapping[str, Kind]
    file_columns: Mapping[str, str] = field(default_factory=dict[str, str])
    condition: str = ""
    holds_data: bool = True
    dated: str | None = None

    def positions(self) -> list[int]:
        """The positions of the key in a row."""
        names = list(self.columns)
        return [names.index(name) for name in self.key]


def _kinds(**names: str) -> dict[str, Kind]:
    """The kind of each column, from the names of the columns of each kind."""
    kinds = {"text": TEXT, "integer": INTEGER, "real": REAL, "time": TIME, "flag": FLAG}
    return {column: kinds[kind] for kind, columns in names.items() for column in columns.split()}


_JOB: Final = {
    "integer": "id priority attempts max_attempts ties snoozes",
    "text": "queue payload worker_id last_error key unique_key",
    "time": "run_at created_at expires_at unique_for",
}
_UNIQUE_FOR: Final = MappingProxyType({"unique_for": "unique_for_s"})

#: Every table that is copied, the settings first.
TABLES: Final = (
    Table(
        "meta", "_honker_meta", ("key",), _kinds(text="key", integer="value"),
        condition="key IN ('counters', 'events')", holds_data=False,
    ),
    Table(
        "queues", "_honker_queues", ("name",),
        _kinds(
            text="name pause_reason on_dead",
            time="paused_at paused_until",
            integer="concurrency concurrency_per_key ordered rate_limit key_rate_limit burst paused_keys",
            real="rate_per_s key_rate_per_s keep_finished_s next_start_ms",
        ),
    ),
    Table(
        "keys", "_honker_keys", ("queue", "key"),
        _kinds(
            text="queue key pause_reason", real="next_start_ms", time="paused_at paused_until", integer="head_id"
        ),
    ),
    Table(
        "unique_keys", "_honker_unique", ("queue", "unique_key"),
        _kinds(text="queue unique_key", integer="job_id", time="expires_at unique_for"),
        file_columns=_UNIQUE_FOR,
    ),
    Table(
        "retention", "_honker_retention", ("kind", "name"),
        _kinds(text="kind name", time="max_age", integer="max_keep"),
        file_columns={"max_age": "max_age_s"},
    ),
    Table(
        "rate_limits", "_honker_rate_limits", ("name", "window_start"),
        _kinds(text="name", time="window_start expires_at", integer="count"),
        condition="expires_at IS NOT NULL",
    ),
    Table(
        "token_buckets", "_honker_token_buckets", ("name",),
        _kinds(text="name", real="missing", time="counted_at full_at"),
    ),
    Table(
        "schedules", "_honker_scheduler_tasks", ("name",),
        _kinds(
            text="name queue expr time_zone payload misfire overlap when_paused last_error",
            integer="priority max_attempts last_job_id",
            time="expires next_fire_at fired_before set_back_at",
            flag="enabled",
        ),
        file_columns={"expr": "cron_expr", "expires": "expires_s"},
        dated="planned_at",
    ),
    Table(
        "stream", "_honker_stream", ("offset",),
        _kinds(integer="offset", text="topic key payload", time="created_at"),
    ),
    Table(
        "stream_consumers", "_honker_stream_consumers", ("name", "topic"), _kinds(text="name topic", integer="offset")
    ),
    Table(
        "finished", "_honker_finished", ("id",),
        _kinds(
            integer="id priority attempts max_attempts",
            text="queue payload state key worker_id last_error",
            time="created_at finished_at expires_at",
        ),
    ),
    Table(
        "results", "_honker_results", ("job_id",),
        _kinds(integer="job_id", text="value", time="created_at expires_at"),
    ),
    Table(
        "attempts", "_honker_attempts", ("job_id", "number"),
        _kinds(integer="job_id number attempt", text="outcome worker_id error", time="ended_at", real="run_s"),
    ),
    Table(
        "progress", "_honker_progress", ("job_id",),
        _kinds(integer="job_id", real="done total", text="note", time="updated_at"),
    ),
    Table("outcomes", "_honker_outcomes", ("job_id",), _kinds(integer="job_id", text="state value error")),
    Table(
        "dependencies", "_honker_dependencies", ("parent_id", "child_id"),
        _kinds(integer="parent_id child_id position", text="policy outcome"),
    ),
    Table(
        "dead", "_honker_dead", ("id",),
        _kinds(**{**_JOB, "time": f"{_JOB['time']} died_at"}),
        file_columns=_UNIQUE_FOR,
    ),
    Table(
        "live", "_honker_live", ("id",),
        _kinds(
            integer=f"{_JOB['integer']} waiting_for",
            text=f"{_JOB['text']} state",
            time=f"{_JOB['time']} claim_expires_at unknown_since cancel_requested_at",
        ),
        file_columns=_UNIQUE_FOR,
    ),
)  # fmt: skip

#: The counters of ids, by their sequence in the schema: the table whose ids they give in a file.
SEQUENCES: Final = MappingProxyType(
    {
        "job_ids": "_honker_live",
        "stream_offsets": "_honker_stream",
        "notification_ids": "_honker_notifications",
    }
)
#: The counter of the fencing tokens of locks. Locks are not copied, but a token must be larger than every earlier one.
LOCK_TOKENS: Final = "lock_tokens"
