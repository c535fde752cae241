"""The form that asks for the token."""

from __future__ import annotations

from starlette.responses import Response

from honker.web.links import is_inside
from honker.web.view import View


async def ask(view: View) -> Response:
    """Show the form."""
    if view.site.token is None:
        return view.go(view.link("/"))
    return view.page("login.html", next=view.query("next") or "/", is_wrong=False)


async def enter(view: View) -> Response:
    """Check the token, and give the browser the cookie."""
    target = view.form.get("next", "/")
    if not view.site.is_token(view.form.get("token", "").strip()):
        return view.page("login.html", 401, next=target, is_wrong=True)
    inner = view.link(target) if target.startswith("/") else ""
    response = view.go(inner if is_inside(view.request, inner) else view.link("/"))
    view.set_session(response)
    return response


async def leave(view: View) -> Response:
    """Forget the cookie."""
    response = view.go(view.link("/login"))
    response.delete_cookie(view.site.session_cookie, path=view.link("/"))
    return response
