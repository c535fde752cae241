"""URLs of PostgreSQL databases. Imports no driver."""

from __future__ import annotations

import re
from typing import Final

SCHEMES: Final = ("postgresql://", "postgres://")
_PASSWORD: Final = re.compile(r"(?<=://)([^:@/?#]*):[^@/?#]*@")
_PASSWORD_OPTION: Final = re.compile(r"(?<=[?&])password=[^&]*&?")


def is_postgres(path: object) -> bool:
    """True for the URL of a PostgreSQL database."""
    return isinstance(path, str) and path.startswith(SCHEMES)


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    return _PASSWORD_OPTION.sub("", _PASSWORD.sub(r"\1@", url)).rstrip("?&")
