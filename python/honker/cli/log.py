"""The log of workers and schedulers on standard error: lines for people, or JSON for programs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any, Final

import click

log_option = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The lowest level logged to standard error; ignored if the module configures logging.",
)

# The attributes that every record has; what else a record has was passed as ``extra``.
_STANDARD: Final = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])


format_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="The form of the lines on standard error (default: json with --json, else text).",
)


class JSONFormatter(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, and the fields passed as ``extra``.

    The traceback of an error is the field ``traceback``, and no part of the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        facts: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        facts |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name not in facts}
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        if "traceback" in facts:
            facts["message"] = facts["message"].removesuffix("\n" + facts["traceback"])
        return json.dumps(facts, default=str)


def configure_logging(level: str, *, is_json: bool = False) -> None:
    """Log to standard error, unless the application has configured logging."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JSONFormatter() if is_json else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
