"""Build the documentation site and check it: `make docs`.

Warnings of Sphinx are errors. Then each page of the result is read: every link within the site leads to a file and to
an anchor in it, and no page loads anything from another server. `--external` also asks the web for the links that leave
the site.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

DOCS = Path(__file__).resolve().parents[1] / "docs"
# Attributes whose file a browser loads by itself, by tag.
_LOADED = {"img": "src", "script": "src", "link": "href", "iframe": "src", "source": "src"}


class Page(HTMLParser):
    """The anchors and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors.update(filter(None, (values.get("id"), values.get("name"))))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        loaded = values.get(_LOADED.get(tag, ""))
        if loaded:
            self.loaded.append(loaded)


def problems(folder: Path) -> Iterator[str]:
    """Describe each link of the built site that leads nowhere, and each file that comes from elsewhere."""
    pages = {file: Page(file.read_text("utf-8")) for file in sorted(folder.rglob("*.html"))}
    for file, page in pages.items():
        name = file.relative_to(folder)
        for target in page.loaded:
            if urlsplit(target).scheme not in {"", "data"} or target.startswith("//"):
                yield f"{name} loads {target} from another server"
        for target in (*page.links, *page.loaded):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            path = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not path.exists():
                yield f"{name} links to {target}, which does not exist"
            elif parts.fragment and path in pages and unquote(parts.fragment) not in pages[path].anchors:
                yield f"{name} links to {target}, and that page has no such anchor"


def sphinx(builder: str, output: Path) -> int:
    options = ["--fresh-env", "--fail-on-warning", "--nitpicky", "--keep-going", "--quiet"]
    command = [sys.executable, "-m", "sphinx", "--builder", builder, *options, str(DOCS), str(output / builder)]
    return subprocess.run(command, check=False).returncode


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the documentation site and check it.")
    parser.add_argument("--external", action="store_true", help="ask the web for the links that leave the site")
    parser.add_argument("--output", type=Path, default=DOCS / "_build", help="the folder to write to")
    options = parser.parse_args(arguments)
    if sphinx("html", options.output):
        return 1
    found = list(problems(options.output / "html"))
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        print(f"The site is in {options.output / 'html' / 'index.html'}")
    return 1 if found else sphinx("linkcheck", options.output) if options.external else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
