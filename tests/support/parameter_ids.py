"""Names of parametrized tests that are the same in every process, as pytest-xdist needs them."""

import re


def stable(value):
    """The value as text, without the address that the default `repr` of an object shows."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
