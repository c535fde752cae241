"""What workers and schedulers have to say about their work."""

from __future__ import annotations

import logging

import click

log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What is logged to standard error; a module that configures logging itself is left alone.",
)


def configure_logging(level: str) -> None:
    """Log to standard error, unless the application has made other arrangements."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
