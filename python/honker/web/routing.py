"""Routes: the path, the method and the function of each page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.responses import Response

from honker.web.view import View

#: Answers one request.
Handler: TypeAlias = "Callable[[View], Awaitable[Response]]"


class _Id(IntegerConvertor):
    """An id in a path. One that no integer of SQL can be is no page, as any other path without one."""

    regex = "[0-9]{1,18}"


register_url_convertor("honker_id", _Id())


@dataclass(frozen=True)
class PageRoute:
    """One path.

    Attributes:
        method: ``"POST"`` for a change: the form is checked before the function runs, and refused by a page that is
            read-only.
        path: As in Starlette, such as ``/job/{id:honker_id}``.
        handler: Answers the request.
        is_change: True if it changes the database.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Handler
    is_change: bool


@dataclass(frozen=True)
class Entry:
    """A line of the navigation.

    Attributes:
        path: The page.
        title: Its name.
        key: The letter that leads there after ``g``.
        also: The beginnings of the paths of its further pages, on which the line is marked too.
    """

    path: str
    title: str
    key: str
    also: tuple[str, ...] = ()

    def is_at(self, path: str) -> bool:
        """True if a page belongs to this line."""
        return path == self.path or path.startswith(self.also)


def get(path: str, handler: Handler) -> PageRoute:
    """A page to read."""
    return PageRoute("GET", path, handler, False)


def post(path: str, handler: Handler, *, is_change: bool = True) -> PageRoute:
    """A form; one that changes the database unless told otherwise."""
    return PageRoute("POST", path, handler, is_change)


METHODS: Final = {"GET": ["GET", "HEAD"], "POST": ["POST"]}
