"""The style, the script and the icon: files of this package, read once."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from honker.web.links import path_of

_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
#: The path of an asset changes with its content.
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Assets:
    """An ASGI application that serves the folder ``static``."""

    def __init__(self) -> None:
        folder = files("honker.web") / "static"
        contents = {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in _TYPES}
        self._contents = contents
        self._versions = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in contents.items()}

    def path(self, name: str) -> str:
        """The path of a file, with its version."""
        return f"/static/{name}?v={self._versions[name]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file."""
        name = path_of(Request(scope)).lstrip("/")
        content = self._contents.get(name)
        if content is None:
            response = Response("There is no such file.\n", 404, media_type="text/plain")
        else:
            response = Response(
                content, media_type=_TYPES[name.rpartition(".")[2]], headers={"cache-control": _FOR_EVER}
            )
        await response(scope, receive, send)
