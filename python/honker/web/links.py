"""Links between the pages, under the path at which the application is mounted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request


def root_of(request: Request) -> str:
    """The path at which the application is mounted, without a slash at its end."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def path_of(request: Request) -> str:
    """The path of a request within the application."""
    path, root = str(request.scope["path"]), root_of(request)
    # Some servers leave the root out of the path.
    return path[len(root) :] or "/" if root and (path + "/").startswith(root + "/") else path


def link(request: Request, path: str, **query: Any) -> str:
    """The URL of a page. Parameters that are None or empty are left out."""
    given = [(name, value) for name, value in query.items() if value is not None and value not in ("", ())]
    return root_of(request) + path + (f"?{urlencode(given, doseq=True)}" if given else "")


def with_query(request: Request, drop: Iterable[str] = (), **query: Any) -> str:
    """The URL of this page with other parameters."""
    given: dict[str, Any] = {name: value for name, value in request.query_params.items() if name not in drop}
    return link(request, path_of(request), **{**given, **query})


def is_inside(request: Request, target: str) -> bool:
    """True if a URL from a form leads to a page of this application, and to no other site."""
    parts = urlsplit(target)
    is_path = not parts.scheme and not parts.netloc and target.startswith("/") and not target.startswith("//")
    return is_path and "\\" not in target and target.isprintable() and (target + "/").startswith(root_of(request) + "/")
