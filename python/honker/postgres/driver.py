"""The entry to this package for `honker.open`: psycopg is an extra, and is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from honker.errors import InvalidArgumentError
from honker.postgres.location import without_password

if TYPE_CHECKING:
    from honker.postgres.engine import PostgresEngine

_OF_SQLITE: Final = ("watcher_backend", "watcher_poll_interval_ms", "foreign_keys")


def open_engine(url: str, options: Mapping[str, Any], *, installs: bool) -> PostgresEngine:
    """Open a database by its URL.

    Args:
        url: ``postgresql://...``, as libpq takes it.
        options: The options of `honker.open`. Those that are about SQLite must be left out.
        installs: True installs or upgrades the schema ``honker`` where the role may.

    Raises:
        InvalidArgumentError: An option is one of SQLite, or psycopg is not installed.
    """
    given = [name for name in _OF_SQLITE if options.get(name) is not None]
    if given:
        raise InvalidArgumentError(
            f"{', '.join(given)} is an option of SQLite; leave it out for {without_password(url)}"
        )
    try:
        from honker.postgres.engine import PostgresEngine  # noqa: PLC0415
    except ImportError as error:
        raise InvalidArgumentError(
            f"{without_password(url)} needs psycopg, which is not installed ({error}): pip install 'honker[postgres]'"
        ) from error
    return PostgresEngine(url, installs=installs)
