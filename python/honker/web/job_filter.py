"""The filter of the list of jobs: parameters of the URL, a text in the search box, and conditions of the engine."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from honker.inspection import JobState

STATES: Final[tuple[str, ...]] = get_args(JobState)
#: The words before a colon in the search box, and the parameters of the URL.
FIELDS: Final = ("queue", "task", "key", "error", "id", "since")
_STATE: Final = "state"
_CONTAINS: Final = "contains"
_ARGS: Final = "args."

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])")
_MAX_IDS: Final = 1_000


class FilterError(ValueError):
    """A filter that has no meaning; the message names the part and the next step."""


@dataclass(frozen=True)
class JobFilter:
    """Conditions that jobs match.

    Attributes:
        params: The parameters of the URL, without empty ones.
    """

    params: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, params: Iterable[tuple[str, str]]) -> JobFilter:
        """The filter in the parameters of a URL or the fields of a form; other parameters are ignored."""
        known = (*FIELDS, _STATE, _CONTAINS)
        return cls({name: text for name, text in params if text and (name in known or name.startswith(_ARGS))})

    @property
    def state(self) -> str | None:
        """The state, or None for all."""
        return self.params.get(_STATE)

    @property
    def is_only_queue(self) -> bool:
        """True if nothing but a queue, or nothing at all, is given beside the state."""
        return not set(self.params) - {_STATE, "queue"}

    @property
    def text(self) -> str:
        """The filter as in the search box, without the state."""
        words = [f"{name}:{_quoted(text)}" for name, text in self.params.items() if name not in {_STATE, _CONTAINS}]
        return " ".join([*words, *([self.params[_CONTAINS]] if _CONTAINS in self.params else [])])

    def parts(self) -> list[tuple[str, str, dict[str, str]]]:
        """Each condition beside the state: its name, its value, and the other parameters."""
        return [
            (name, text, {other: value for other, value in self.params.items() if other != name})
            for name, text in self.params.items()
            if name != _STATE
        ]

    def conditions(self) -> dict[str, Any]:
        """The conditions as `Database.jobs` takes them.

        Raises:
            FilterError: A part has no meaning.
        """
        found: dict[str, Any] = {
            name: self.params[name] for name in ("queue", "task", "key", "error") if name in self.params
        }
        if self.state is not None:
            if self.state not in STATES:
                raise FilterError(f"there is no state {self.state!r}; take one of {', '.join(STATES)}")
            found["state"] = self.state
        if "id" in self.params:
            found["ids"] = _ids(self.params["id"])
        if "since" in self.params:
            found["since"] = _since(self.params["since"])
        args = {name.removeprefix(_ARGS): _value(text) for name, text in self.params.items() if name.startswith(_ARGS)}
        if args and _CONTAINS in self.params:
            raise FilterError(f"{self.params[_CONTAINS]!r} beside args.PATH:VALUE: search for one of them")
        if args or _CONTAINS in self.params:
            found["args"] = args or self.params[_CONTAINS]
        return found


def parse(text: str) -> dict[str, str]:
    """The parameters of the text in a search box, such as ``queue:emails error:"timed out" args.to:alice``.

    Words without a name are a text that the payload contains; a number alone is the id of a job.

    Raises:
        FilterError: The quotes do not match.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise FilterError(f"{text!r} has a quote without its end") from error
    found: dict[str, str] = {}
    rest: list[str] = []
    for word in words:
        name, colon, value = word.partition(":")
        if colon and value and (name in {*FIELDS, _STATE} or (name.startswith(_ARGS) and len(name) > len(_ARGS))):
            found[name] = value
        else:
            rest.append(word)
    if len(rest) == 1 and not found and rest[0].isdecimal():
        return {"id": rest[0]}
    return found | ({_CONTAINS: " ".join(rest)} if rest else {})


def _quoted(text: str) -> str:
    return shlex.quote(text) if re.search(r"[\s\"'\\]", text) else text


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _ids(text: str) -> list[int]:
    words = [word for word in re.split(r"[,\s]+", text) if word]
    if not words or len(words) > _MAX_IDS or not all(re.fullmatch(r"[0-9]{1,18}", word) for word in words):
        raise FilterError(f"id:{text} is not a number, or a list such as 17,18 of up to {_MAX_IDS:,}")
    return [int(word) for word in words]


def _since(text: str) -> float:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise FilterError(f"since:{text} is not a span such as 15m, 3h or 7d")
    return max(0.0, time.time() - int(match[1]) * _UNITS_S[match[2]])
