"""Numbers on the command line."""

from __future__ import annotations

import math
from typing import Any

import click


class SecondsRange(click.FloatRange):
    """A number of seconds in a range. Neither NaN, which is in every range of click, nor an infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text of an option."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number of seconds.", param, ctx)
        return number
