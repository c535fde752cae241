"""What ends a program: figures that would be wrong."""


class CheckError(Exception):
    """A measurement did not do what it says."""


class SideError(Exception):
    """What is measured failed, or said that it could not do what was asked."""

    def __init__(self, message, *, is_peer):
        super().__init__(message)
        self.is_peer = is_peer


def check(seen, expected, what):
    if seen != expected:
        raise CheckError(f"{what}: {seen!r} instead of {expected!r}")
