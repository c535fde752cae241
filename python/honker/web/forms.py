"""Forms: reading them, and the proof that a page of this application sent them.

A change needs three proofs. The cookie is ``SameSite=Strict``, so no other site makes a browser send it. The form
repeats its value, which no other site can read. The browser states that the form comes from this site.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import ImmutableMultiDict
from starlette.exceptions import HTTPException
from starlette.requests import Request

from honker.web.guard import has_bearer
from honker.web.site import Site

#: The field of each form, and the cookie that it repeats.
CSRF_FIELD: Final = "csrf"
CSRF_COOKIE: Final = "honker_csrf"
_MAX_BYTES: Final = 1_000_000
_MAX_FIELDS: Final = 2_000

Form = ImmutableMultiDict[str, str]


def csrf_of(request: Request) -> str:
    """The secret of this browser, a new one if it has none."""
    known = request.cookies.get(CSRF_COOKIE, "")
    return known if len(known) >= 32 and known.isascii() else secrets.token_urlsafe(32)  # noqa: PLR2004


async def read_form(request: Request, site: Site, *, is_change: bool) -> Form:
    """The fields of a form that one of our pages has sent.

    Args:
        request: The request.
        site: The settings of the page.
        is_change: True if it changes the database.

    Raises:
        HTTPException: It comes from elsewhere, is too large, or changes a database that is shown read-only.
    """
    if is_change and site.is_read_only:
        raise HTTPException(403, "This page is read-only.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise HTTPException(413, "The form is too large.")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "The form is not readable.") from error
    form = Form([(name, value) for name, values in fields.items() for value in values])
    if not has_bearer(request, site):
        _check_origin(request)
        _check_csrf(request, form)
    return form


def _check_origin(request: Request) -> None:
    """Refuse a form that the browser ascribes to another site. Old browsers send neither header."""
    fetch_site = request.headers.get("sec-fetch-site", "same-origin")
    origin = request.headers.get("origin")
    host = request.headers.get("host", "")
    if fetch_site != "same-origin" or (origin is not None and urlsplit(origin).netloc.lower() != host.lower()):
        raise HTTPException(
            403,
            "The form comes from another site, or a proxy has changed its Host header: pass the header on unchanged.",
        )


def _check_csrf(request: Request, form: Form) -> None:
    cookie, field = request.cookies.get(CSRF_COOKIE, ""), form.get(CSRF_FIELD, "")
    if not cookie or not hmac.compare_digest(cookie.encode(), field.encode()):
        raise HTTPException(403, "The form has expired, or the browser refuses cookies. Go back, reload and try again.")
