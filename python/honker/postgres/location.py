"""URLs of PostgreSQL databases. Imports no driver."""

from __future__ import annotations

import re
from typing import Final

SCHEMES: Final = ("postgresql://", "postgres://")
_PASSWORD: Final = re.compile(r"(?<=://)([^:@/?#]*):[^@/?#]*@")
# A password with a character that must be percent-encoded. libpq refuses the URL, and a message shows it.
_BROKEN_PASSWORD: Final = re.compile(r"(?<=://)([^:@]*):[^@]*[/?#].*@")
_PASSWORD_OPTION: Final = re.compile(r"(?<=[?&])(?:ssl)?password=[^&]*&?")


def is_postgres(path: object) -> bool:
    """True for the URL of a PostgreSQL database."""
    return isinstance(path, str) and path.startswith(SCHEMES)


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    shown, count = _PASSWORD.subn(r"\1@", url)
    if not count:
        shown = _BROKEN_PASSWORD.sub(r"\1@", url)
    return _PASSWORD_OPTION.sub("", shown).rstrip("?&")
