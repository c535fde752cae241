"""A command of ``honker`` as a command of ``manage.py``."""

# pyright: basic
# Django has no annotations.

from __future__ import annotations

import os
import sys
from typing import Any, ClassVar, Final

import click
from django.core.management.base import BaseCommand, CommandError

from honker.cli.main import run
from honker.cli.output import Output
from honker.cli.reload import run_reloading
from honker.cli.scheduler import speaker
from honker.cli.signals import leave
from honker.contrib.django import app

#: The database of the app, as the commands of honker name it.
TARGET = "honker.contrib.django:app.db"
#: The same for a process that has not set Django up.
STANDALONE = "honker.contrib.django.standalone:db"

_RELOADS: Final = "reloads"


class ClickCommand(BaseCommand):
    """Takes the options of a command of ``honker`` and runs it on the database of the project.

    Attributes:
        command: The command.
    """

    command: ClassVar[click.Command]
    requires_migrations_checks = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options = [each for each in self.command.params if isinstance(each, click.Option)]

    def add_arguments(self, parser: Any) -> None:
        """Declare the options of the command."""
        for option in self._options:
            shared = {"dest": option.name, "help": (option.help or "").replace("%", "%%"), "default": None}
            if option.is_flag:
                parser.add_argument(*option.opts, action="store_true", **shared)
                if option.secondary_opts:
                    parser.add_argument(*option.secondary_opts, action="store_false", **shared)
            else:
                action = "append" if option.multiple else "store"
                metavar = option.metavar or getattr(option.type, "name", "value").upper()
                parser.add_argument(*option.opts, action=action, metavar=metavar, **shared)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command, and end the process with its exit code."""
        if not app.registry.specs():
            raise CommandError(
                "no tasks: decorate functions with @app.task() of `from honker.contrib.django import app` in a module "
                "tasks.py of an installed app"
            )
        command = self.command.name or ""
        reloads = options.pop(_RELOADS, None)
        given = [text for each in self._options for text in _spelled(each, options.get(each.name or ""))]
        if reloads:
            leave(_run_reloading([command, STANDALONE, *given], is_json=bool(options.get("is_json"))))
        app.become_worker()
        leave(run([command, TARGET, *given]))


def _run_reloading(arguments: list[str], *, is_json: bool) -> int:
    """Run a command of ``honker`` in a process that finds the project's modules as this one does."""
    # The directory of manage.py.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (sys.path[0], os.environ.get("PYTHONPATH"))))
    return run_reloading(arguments, speaker(arguments[0], Output(is_json=is_json)))


def _spelled(option: click.Option, value: Any) -> list[str]:
    """An option as on the command line; nothing if it was not given."""
    if value is None:
        return []
    if option.is_flag:
        return [option.opts[0] if value else option.secondary_opts[0]]
    values = value if option.multiple else [value]
    return [text for each in values for text in (option.opts[0], str(each))]
