"""The ASGI application: its routes, its templates, and the pages for errors."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from honker.app.application import App
from honker.database import Database
from honker.errors import HonkerError
from honker.web import failures, formats, login, pages, updates
from honker.web.assets import Assets
from honker.web.forms import read_form
from honker.web.guard import Guard
from honker.web.routing import METHODS, PageRoute, get, post
from honker.web.site import Site
from honker.web.view import View

_OWN_ROUTES: Final = (
    get("/events", updates.events),
    get("/login", login.ask),
    post("/login", login.enter, is_change=False),
    post("/logout", login.leave, is_change=False),
)


def make(
    db: Database | App,
    *,
    is_read_only: bool,
    token: str | None,
    allowed_hosts: Sequence[str] | None,
    title: str | None,
) -> ASGIApp:
    """Make the application; see `honker.web.app`."""
    site = Site(source=db, is_read_only=is_read_only, token=token, allowed_hosts=allowed_hosts, title=title)
    assets, environment = _shared()

    def endpoint(route: PageRoute) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            is_form = route.method == "POST"
            form = await read_form(request, site, is_change=route.is_change) if is_form else None
            return await route.handler(View(site, environment, request, form))

        return run

    async def failed(request: Request, error: Exception) -> Response:
        return failures.page(View(site, environment, request), error)

    routes = [Route(each.path, endpoint(each), methods=METHODS[each.method]) for each in (*_OWN_ROUTES, *pages.ROUTES)]
    handlers = {HTTPException: failed, HonkerError: failed, Exception: failed}
    web = Starlette(routes=[*routes, Mount("/static", assets)], exception_handlers=handlers)
    return Guard(web, site)


@cache
def _shared() -> tuple[Assets, Environment]:
    """The assets and the templates, which every application of a process has in common."""
    assets = Assets()
    environment = Environment(
        loader=PackageLoader("honker.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(formats.FILTERS)
    names: dict[str, Any] = {"navigation": pages.NAVIGATION, "asset": assets.path}
    environment.globals.update(names)
    # Compiled now, or the first visit of each page would take some 100 ms longer.
    for name in environment.list_templates():
        environment.get_template(name)
    return assets, environment
