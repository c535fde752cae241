"""Pages for errors. The page of an error that may pass loads again by itself."""

from __future__ import annotations

import logging

from starlette.exceptions import HTTPException
from starlette.responses import Response

from honker.errors import (
    DatabaseBusyError,
    DatabaseClosedError,
    DatabaseCorruptError,
    DatabaseFullError,
    DatabaseIOError,
    DatabaseOpenError,
    DatabaseReadOnlyError,
    DatabaseReplacedError,
    HonkerError,
    InvalidArgumentError,
    WatcherError,
)
from honker.web.view import View

logger = logging.getLogger("honker.web")

_UNAVAILABLE = 503
#: Errors of the file, the most special class first, with a title and the next step.
_OF_THE_FILE: tuple[tuple[type[HonkerError], str, str], ...] = (
    (DatabaseBusyError, "The database is locked", "Another program holds the write lock. This page tries again."),
    (DatabaseReplacedError, "The database file was replaced", "Start this page again to open the new file."),
    (DatabaseCorruptError, "The database is damaged", "Run `honker doctor` on the file."),
    (DatabaseFullError, "The disk is full", "Free some space. This page tries again."),
    (DatabaseReadOnlyError, "The database cannot be written", "Check the permissions of the file and its folder."),
    (DatabaseOpenError, "The database cannot be opened", "Check that the file is there. This page tries again."),
    (DatabaseIOError, "The database cannot be read", "Check that the file and its disk are there."),
    (DatabaseClosedError, "The database is closed", "The application has closed it."),
    (WatcherError, "The database cannot be watched", "Check that the file is there. This page tries again."),
)


def page(view: View, error: Exception) -> Response:
    """The page for an error."""
    status, title, hint = _describe(error)
    detail = error.detail if isinstance(error, HTTPException) else str(error) if status != 500 else ""  # noqa: PLR2004
    response = view.page("error.html", status, title=title, hint=hint, detail=detail, status=status)
    if status == _UNAVAILABLE:
        response.headers["retry-after"] = "3"
    return response


def _describe(error: Exception) -> tuple[int, str, str]:
    if isinstance(error, HTTPException):
        title = {404: "Not found", 403: "Refused", 405: "Refused"}.get(error.status_code, "The request is not valid")
        return error.status_code, title, ""
    for kind, title, hint in _OF_THE_FILE:
        if isinstance(error, kind):
            return _UNAVAILABLE, title, hint
    if isinstance(error, InvalidArgumentError):
        return 400, "The request is not valid", ""
    if isinstance(error, HonkerError):
        return 409, "The database has refused this", ""
    return 500, "This page has a fault", "The log of the server describes it."
