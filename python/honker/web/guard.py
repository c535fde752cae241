"""The checks before any page: the name under which it was reached, the machine, and the token."""

from __future__ import annotations

import ipaddress
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from honker.web.links import link, path_of
from honker.web.site import Site

#: Paths that need no token: the form that asks for it, and its style.
_OPEN_PATHS: Final = ("/login", "/static/")
#: A proxy adds one of these. Without a token the page is not for those behind it.
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
# Not `no-referrer`: browsers then send `Origin: null` with forms.
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """An ASGI application that lets permitted requests through, and adds the headers of security to each response."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":  # the lifespan
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """The response to a request that is not permitted; None for others."""
        request = Request(scope)
        host = host_of(request.headers)
        # A page of another site may lead its own name to this machine; its script would then read all of this.
        if not self._site.allows_host(host):
            return _refuse(f"This page does not answer to the name {host!r}. Allow it by allowed_hosts, or by a token.")
        if self._site.is_local and not _is_local(request):
            return _refuse("This page answers only to its own machine. Protect it by a token to open it to others.")
        if self._site.token is None or path_of(request).startswith(_OPEN_PATHS) or self._is_known(request):
            return None
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            here = path_of(request) + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(link(request, "/login", next=None if here == "/" else here), 303)
        return PlainTextResponse("A token is needed.\n", 401, {"www-authenticate": 'Bearer realm="honker"'})

    def _is_known(self, request: Request) -> bool:
        return has_bearer(request, self._site) or self._site.is_session(
            request.cookies.get(self._site.session_cookie, "")
        )


def has_bearer(request: Request, site: Site) -> bool:
    """True if the request has the token in its header, as only a program sends it."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and site.is_token(given.strip())


def host_of(headers: Headers) -> str:
    """The name in the header ``Host``, without the port and the brackets of an address."""
    host = headers.get("host", "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_local(request: Request) -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    if request.client is None:  # a Unix socket
        return True
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _refuse(reason: str) -> Response:
    return PlainTextResponse(f"{reason}\n", 403)
