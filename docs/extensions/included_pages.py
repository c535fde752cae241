"""Fits files of the repository, such as CONTRIBUTING.md, into the site: links lead to pages or copies of files."""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

_PAGE = re.compile(r"`docs/([a-z]+)\.md`")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#|/)([^)\s]+)\)")
# rustdoc's attributes of a block, as in ```rust,no_run
_ATTRIBUTE = re.compile(r"^(```rust),\w+$", re.MULTILINE)


def fit(app: Sphinx, path: Path, parent: str, content: list[str]) -> None:
    """Rewrite the links of an included file: `docs/x.md` becomes a link, and a link to a folder becomes its text."""
    folder = (Path(app.srcdir) / path).resolve().parent

    def relink(link: re.Match[str]) -> str:
        target = folder / link[2].partition("#")[0]
        return f"[{link[1]}](/{os.path.relpath(target, app.srcdir)})" if target.is_file() else link[1]

    text = _PAGE.sub(r"[\1.md](/\1.md)", _LINK.sub(relink, content[0]))
    content[0] = _ATTRIBUTE.sub(r"\1", text)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("include-read", fit)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
