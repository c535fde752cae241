"""One request: its database, its links, and the ways to answer it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from honker.arguments import INT64_MAX
from honker.database import Database
from honker.web import flash
from honker.web.flash import Flash, Undo
from honker.web.forms import CSRF_COOKIE, Form, csrf_of
from honker.web.links import is_inside, link, path_of, root_of, with_query
from honker.web.site import Site

if TYPE_CHECKING:
    from jinja2 import Environment
    from starlette.requests import Request

P = ParamSpec("P")
T = TypeVar("T")

#: The header by which the script asks for the part of a page that changes.
FRAGMENT_HEADER: Final = "honker-fragment"
_THEMES: Final = ("light", "dark")


class View:
    """A request, as the functions of the pages get it.

    Attributes:
        request: The request of Starlette.
        site: The settings of the page.
        form: The fields of a checked form; empty for a request that changes nothing.
    """

    def __init__(self, site: Site, environment: Environment, request: Request, form: Form | None = None) -> None:
        self.site = site
        self.request = request
        self.form = Form() if form is None else form
        self._environment = environment

    @property
    def db(self) -> Database:
        """The database; see `read`."""
        return self.site.db

    async def read(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the database in a thread: a list may take 40 ms, which would hold up other requests.

        The ``a`` twins read on the event loop, so they are for what takes less than a millisecond.
        """
        return await asyncio.to_thread(method, *args, **kwargs)

    @property
    def is_fragment(self) -> bool:
        """True if the script asks for the part of the page that changes."""
        return FRAGMENT_HEADER in self.request.headers

    def query(self, name: str) -> str | None:
        """A parameter of the URL; None if it is missing or empty."""
        return self.request.query_params.get(name) or None

    def field(self, name: str) -> str:
        """A field of the form.

        Raises:
            HTTPException: It is missing.
        """
        value = self.form.get(name)
        if value is None:
            raise HTTPException(400, f"The form has no field {name!r}.")
        return value

    def number(self, name: str) -> int:
        """A field of the form that is a whole number.

        Raises:
            HTTPException: It is missing, or no number.
        """
        return read_number(self.field(name), name)

    def link(self, path: str, **query: Any) -> str:
        """The URL of a page. Parameters that are None or empty are left out."""
        return link(self.request, path, **query)

    @cached_property
    def _csrf(self) -> str:
        return csrf_of(self.request)

    def page(self, template: str, status: int = 200, /, **context: Any) -> Response:
        """Render a page, or the part of it that the script asks for."""
        text = self._environment.get_template(template).render(**self._context(), **context)
        response = HTMLResponse(text, status, {"vary": FRAGMENT_HEADER})
        if self.request.cookies.get(CSRF_COOKIE) != self._csrf:
            self._set_cookie(response, CSRF_COOKIE, self._csrf)
        if flash.COOKIE in self.request.cookies and not self.is_fragment:
            response.delete_cookie(flash.COOKIE, path=f"{root_of(self.request)}/")
        return response

    def _context(self) -> dict[str, Any]:
        theme = self.request.cookies.get("honker_theme")
        return {
            "layout": "fragment.html" if self.is_fragment else "layout.html",
            "view": self,
            "site": self.site,
            "path": path_of(self.request),
            "root": root_of(self.request),
            "here": with_query(self.request),
            "link": self.link,
            "query": self.request.query_params,
            "with_query": lambda **query: with_query(self.request, **query),  # pyright: ignore
            "csrf": self._csrf,
            "theme": theme if theme in _THEMES else None,
            "flash": None if self.is_fragment else flash.unpack(self.request.cookies.get(flash.COOKIE)),
        }

    def done(self, text: str, to: str | None = None, *, is_error: bool = False, undo: Undo | None = None) -> Response:
        """Answer a form: show a message on the page from which the form came.

        Args:
            text: The message, one sentence.
            to: The URL of the page; by default the form's field ``back``, else the first page.
            is_error: True if nothing was changed.
            undo: The form that takes the change back.
        """
        back = self.form.get("back", "")
        target = to or (back if is_inside(self.request, back) else self.link("/"))
        response = RedirectResponse(target, 303)
        self._set_cookie(response, flash.COOKIE, Flash(text, is_error, undo).packed(), flash.MAX_AGE_S)
        return response

    def go(self, target: str) -> Response:
        """Lead the browser to another page."""
        return RedirectResponse(target, 303)

    def set_session(self, response: Response) -> None:
        """Give the browser the cookie of those that have shown the token."""
        self._set_cookie(response, self.site.session_cookie, self.site.session, 30 * 86_400, same_site="lax")

    def _set_cookie(
        self, response: Response, name: str, value: str, max_age_s: int | None = None, same_site: Any = "strict"
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age_s,
            path=f"{root_of(self.request)}/",
            secure=self.request.url.scheme == "https",
            httponly=True,
            samesite=same_site,
        )


def read_number(text: str, name: str) -> int:
    """A whole number of a request.

    Raises:
        HTTPException: It is none.
    """
    try:
        number = int(text)
    except ValueError as error:
        raise HTTPException(400, f"{name} is {text[:100]!r}, not a whole number.") from error
    if abs(number) > INT64_MAX:
        raise HTTPException(400, f"{name} is {text[:100]}; it must fit into 64 bits.")
    return number


def read_instant(text: str | None, name: str) -> float | None:
    """The Unix seconds of a field; None if it is empty or missing.

    Raises:
        HTTPException: It is no finite number.
    """
    if not text:
        return None
    with contextlib.suppress(ValueError):
        number = float(text)
        if math.isfinite(number):
            return number
    raise HTTPException(400, f"{name} is {text[:100]!r}, not a number of Unix seconds.")
