"""The fenced blocks of a page."""

import re
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"^(`{3,}) *(\S[^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Pairs of the words after the fence and the text, in order."""
    return [(info, text) for _, info, text in _BLOCK.findall(page.read_text("utf-8"))]
