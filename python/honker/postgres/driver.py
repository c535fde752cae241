"""The entry to this package for `honker.open`: psycopg is an extra, and is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from honker.errors import InvalidArgumentError
from honker.postgres.location import without_password

if TYPE_CHECKING:
    import psycopg

    from honker.postgres.engine import PostgresEngine

#: Seconds for which a server may take to accept a connection.
CONNECT_S: Final = 10

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
        raise _without_psycopg(url, error) from error
    return PostgresEngine(url, installs=installs)


def connect(url: str) -> psycopg.Connection[Any]:
    """Connect to a database as it is, in autocommit; the caller closes the connection.

    Raises:
        InvalidArgumentError: psycopg is not installed, or the URL is malformed.
        HonkerError: The server refused, or does not answer.
    """
    try:
        import psycopg  # noqa: PLC0415

        from honker.postgres.failures import from_postgres  # noqa: PLC0415
    except ImportError as error:
        raise _without_psycopg(url, error) from error
    try:
        return psycopg.connect(
            url, autocommit=True, application_name="honker", connect_timeout=CONNECT_S, client_encoding="UTF8"
        )
    except psycopg.ProgrammingError:
        # The message of libpq may quote the password.
        raise malformed(url) from None
    except psycopg.Error as error:
        raise from_postgres(error) from error


def malformed(url: str) -> InvalidArgumentError:
    """The error for a URL that libpq cannot read."""
    return InvalidArgumentError(
        f"{without_password(url)!r} is no PostgreSQL URL; special characters of the user name and the password must be "
        "percent-encoded"
    )


def _without_psycopg(url: str, error: ImportError) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"{without_password(url)} needs psycopg, which is not installed ({error}): pip install 'honker-db[postgres]'"
    )
