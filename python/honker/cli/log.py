"""Logging of the commands that run workers and schedulers."""

from __future__ import annotations

import logging

import click

log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The lowest level logged to standard error; ignored if the module configures logging.",
)


def configure_logging(level: str) -> None:
    """Log to standard error, unless the application has configured logging."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
