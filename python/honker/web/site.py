"""The settings of a page, and the objects that all of its requests share."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from honker.app.application import App
from honker.database import Database
from honker.errors import InvalidArgumentError
from honker.web.operations import Operation, Recent

#: A shorter token could be guessed.
MIN_TOKEN: Final = 16
#: The names of this machine.
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_ANY_HOST: Final = "*"


@dataclass(frozen=True, kw_only=True)
class Site:
    """One page.

    Attributes:
        source: The database, or the app that opens it.
        is_read_only: True if every change is refused.
        token: The secret that a client needs, or None.
        allowed_hosts: The names under which it may be reached; None allows the names of this machine, or with a token
            each name.
        title: The name at the top; None shows the name of the file.
        operations: Verbs for many jobs that this process runs or ran.
    """

    source: Database | App
    is_read_only: bool = False
    token: str | None = field(default=None, repr=False)
    allowed_hosts: Sequence[str] | None = None
    title: str | None = None
    operations: Recent[Operation] = field(default_factory=Recent[Operation])

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < MIN_TOKEN:
            raise InvalidArgumentError(
                f"token has {len(self.token)} characters; it needs {MIN_TOKEN}, as from secrets.token_urlsafe()"
            )
        if self.allowed_hosts is not None and not self.allowed_hosts:
            raise InvalidArgumentError("allowed_hosts is empty; name a host, or allow each one by ['*']")

    @property
    def db(self) -> Database:
        """The database."""
        return self.source.db if isinstance(self.source, App) else self.source

    @property
    def name(self) -> str:
        """The name at the top."""
        return self.title or self.db.path.partition("?")[0].rpartition("/")[2]

    @property
    def is_local(self) -> bool:
        """True if only this machine is served, because there is no other protection."""
        return self.token is None and self.allowed_hosts is None

    def allows_host(self, host: str) -> bool:
        """True if the page may be reached under this name."""
        if self.allowed_hosts is None:
            return self.token is not None or host in LOOPBACK_HOSTS
        return _ANY_HOST in self.allowed_hosts or host in {each.lower() for each in self.allowed_hosts}

    @cached_property
    def session(self) -> str:
        """The value of the cookie of a browser that has shown the token. It does not contain the token."""
        return _keyed(self.token or "", b"session")

    @cached_property
    def session_cookie(self) -> str:
        """The name of that cookie. Ports share cookies, so pages with other tokens use other names."""
        return f"honker_session_{_keyed(self.token or '', b'name')[:8]}"

    def is_token(self, given: str) -> bool:
        """True if this is the token. Takes the same time for each wrong one."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def is_session(self, given: str) -> bool:
        """True if this is the value of the cookie."""
        return self.token is not None and hmac.compare_digest(given.encode(), self.session.encode())


def _keyed(token: str, purpose: bytes) -> str:
    return hmac.new(token.encode(), b"honker web " + purpose, hashlib.sha256).hexdigest()
