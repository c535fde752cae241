"""Statistics over several rounds, and the format of a figure."""

import statistics

THREE_DIGITS = 100


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def ratio(own, other):
    """The ratio of two sides measured in the same rounds."""
    return spread([one / another for one, another in zip(own, other, strict=True)])


def number(value):
    """A figure with three digits, or all digits before the point if there are more."""
    return f"{value:,.0f}" if abs(value) >= THREE_DIGITS else f"{value:,.3g}"
