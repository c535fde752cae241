"""Bring the schema ``honker`` up to this release, or find that another role has done so."""

from __future__ import annotations

from typing import Any

import psycopg

from honker.errors import DatabaseReadOnlyError, NotBootstrappedError
from honker.postgres import session
from honker.postgres.failures import from_postgres
from honker.postgres.install import install, is_installed, look


def bring_up_to_date(raw: psycopg.Connection[Any], path: str) -> None:
    """Install or upgrade the schema, unless it is there already, of this release or a newer one.

    In an open transaction it becomes part of that, and a refusal leaves the transaction usable.

    Args:
        raw: The connection.
        path: The database, for messages.

    Raises:
        NotBootstrappedError: There is no schema, and this role may not create it.
        HonkerError: PostgreSQL refused for another reason.
    """
    try:
        with raw.transaction():
            _install(raw)
    except DatabaseReadOnlyError as error:
        # Without the privilege, an installation that another role has made is good enough.
        try:
            with raw.transaction():
                session.scalar(raw, "SELECT honker_bootstrap()", ())
        except NotBootstrappedError:
            raise NotBootstrappedError(
                f"{path} has no schema honker, and this role may not create it ({error}); run "
                "`honker migrate URL` as a role that may"
            ) from error


def _install(raw: psycopg.Connection[Any]) -> None:
    try:
        found = look(raw) if is_installed(raw) else None
        if found is None or not (found.is_current or found.is_newer):
            install(raw)
    except psycopg.Error as error:
        raise from_postgres(error) from error
