"""The setting ``HONKER`` of a Django project, a dict with the keys of `DEFAULTS`, all optional.

``DATABASE`` is the alias in ``DATABASES`` of the database that holds the jobs. ``OPTIONS`` are options of
`honker.open` for the connections of workers and of waits, such as ``synchronous``.
"""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

DEFAULTS: Final[dict[str, Any]] = {"DATABASE": "default", "OPTIONS": {}}


def setting(name: str) -> Any:
    """The value of a key of ``HONKER``, as it is now: tests override settings."""
    return getattr(settings, "HONKER", {}).get(name, DEFAULTS[name])


def database_alias() -> str:
    """The alias of the database that holds the jobs."""
    return setting("DATABASE")
