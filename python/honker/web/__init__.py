"""The page: queues, jobs and all else in a database file, for people, in a browser.

``honker web app.db`` serves it; `app` makes it part of an ASGI application:

    web = FastAPI()
    web.mount("/honker", honker.web.app(db, token=os.environ["HONKER_WEB_TOKEN"]))

It needs Starlette and Jinja: ``pip install honker-db[web]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from honker.app.application import App
    from honker.database import Database

__all__ = ["app"]


def app(
    db: Database | App,
    *,
    read_only: bool = False,
    token: str | None = None,
    allowed_hosts: Sequence[str] | None = None,
    title: str | None = None,
) -> ASGIApp:
    """Make the page for a database, an ASGI application.

    It can be mounted under any path. Without ``token`` and ``allowed_hosts`` it answers only to this machine: requests
    from a loopback address, to a loopback name, that no proxy has forwarded.

    Args:
        db: A database, or an app, whose file is opened by the first request.
        read_only: True to refuse every change; the page then has no buttons.
        token: A secret of at least 16 characters, which a browser sends by a form once, and a program in the header
            ``Authorization: Bearer``. None asks for none.
        allowed_hosts: The names under which it may be reached, such as ``["jobs.example.org"]``, without a port;
            ``["*"]`` allows each. Given without ``token``, the application around it has to check its users.
        title: The name at the top; None shows the name of the file.

    Raises:
        InvalidArgumentError: ``token`` is too short, or ``allowed_hosts`` is empty.
        ImportError: Starlette or Jinja is missing.
    """
    try:
        from honker.web import application  # noqa: PLC0415 - `import honker.web` works without the extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"starlette", "jinja2"}:
            raise
        raise ImportError(f"the page needs {error.name}: pip install 'honker-db[web]'", name=error.name) from error
    return application.make(db, is_read_only=read_only, token=token, allowed_hosts=allowed_hosts, title=title)
