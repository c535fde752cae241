"""Errors that end a program, because its figures would be wrong."""


class CheckError(Exception):
    """A measurement did not do the expected work."""


class SideError(Exception):
    """A measured side failed, or reported a failure."""

    def __init__(self, message, *, is_peer):
        super().__init__(message)
        self.is_peer = is_peer


def check(seen, expected, what):
    if seen != expected:
        raise CheckError(f"{what}: {seen!r} instead of {expected!r}")
