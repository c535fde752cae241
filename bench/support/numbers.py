"""What is made of the figures of several rounds, and how a figure is written."""

import statistics

THREE_DIGITS = 100


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def ratio(own, other):
    """Of two sides measured in the same rounds."""
    return spread([one / another for one, another in zip(own, other, strict=True)])


def number(value):
    """Three digits, or all before the point if there are more."""
    return f"{value:,.0f}" if abs(value) >= THREE_DIGITS else f"{value:,.3g}"
