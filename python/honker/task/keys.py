"""The keys of a task's call, from the options of the task and those of the call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from honker.engine.limits import LIMITS
from honker.errors import InvalidArgumentError
from honker.task.options import KeyOption, check_options, check_unique_options
from honker.task.registry import TaskSpec

_KEYS: Final = ("key", "unique_key")
#: The options of a task that relate its jobs to others; a call may have others.
FLOW_OPTIONS: Final = (
    *_KEYS,
    "on_conflict",
    "unique_until",
    "unique_for_s",
    "debounce_s",
    "debounce_max_s",
)


def flow_options(spec: TaskSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a call: those that are given, then those of its task; without the ones that are None.

    Raises:
        InvalidArgumentError: One is outside its range, or belongs to a unique key that is missing.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    if wanted:
        check_options(None, wanted)
    options = {name: getattr(spec, name) for name in FLOW_OPTIONS} | wanted
    check_unique_options(options)
    return {name: value for name, value in options.items() if value is not None}


def resolve_keys(options: dict[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The options of one call, with each key as a text; without a unique key, nothing is left that needs one.

    Raises:
        InvalidArgumentError: A function of the arguments returned something else than a key or None.
    """
    if not any(callable(options.get(name)) for name in _KEYS):
        return options
    resolved = dict(options)
    for name in _KEYS:
        if (value := _key_of(name, options.get(name), args, kwargs)) is None:
            resolved.pop(name, None)
        else:
            resolved[name] = value
    if "unique_key" in resolved:
        return resolved
    return {name: value for name, value in resolved.items() if name not in FLOW_OPTIONS or name == "key"}


def _key_of(name: str, option: KeyOption | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    if option is None or isinstance(option, str):
        return option
    key: Any = option(*args, **kwargs)
    if key is None or (isinstance(key, str) and 1 <= len(key.encode(errors="replace")) <= LIMITS.name_max_bytes):
        return key
    raise InvalidArgumentError(
        f"{name}= of the task returned {key!r}; it must return text of 1 to {LIMITS.name_max_bytes} UTF-8 bytes, or "
        "None for no key"
    )
