"""The argument ``MODULE:APP``: an app, or a database handle, in a variable of an importable module."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from types import ModuleType
from typing import IO, Any

import click

from honker.app.application import App
from honker.database import Database

#: The argument's name in usage texts and errors.
METAVAR = "MODULE:APP"


class ModuleFailedError(click.ClickException):
    """The application's module raised an error while it was imported. Shows that error as Python would."""

    def __init__(self, module: str, error: BaseException) -> None:
        super().__init__(f"module {module!r} cannot be imported; its error is above")
        self.traceback = _application_traceback(error)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the module's traceback, then the message."""
        click.echo(self.traceback, file=file, err=True, nl=False)
        super().show(file)


def resolve(target: str) -> Database:
    """Import the module of a target such as ``shop.tasks:app``, from the current directory too; return the database.

    Raises:
        ValueError: The target has another form.
        ModuleNotFoundError: The module does not exist.
        AttributeError: The module has no such variable.
        TypeError: The variable is neither a `honker.App` nor a `honker.Database`.
    """
    module, variable = split(target)
    return find(_import(module), variable)


def open_target(target: str) -> Database:
    """Like `resolve`, with errors for the command line.

    Raises:
        click.BadParameter: The target does not lead to a database.
        ModuleFailedError: Importing the module raised an error.
    """
    try:
        module_name, variable = split(target)
    except ValueError as error:
        raise _refusal(error) from error
    module = _import_or_show(module_name)
    try:
        db = find(module, variable)
    except (AttributeError, TypeError) as error:
        raise _refusal(error) from error
    for name in db.registry.imports:
        _import_or_show(name)
    return db


def _refusal(error: Exception) -> click.BadParameter:
    return click.BadParameter(str(error), param_hint=METAVAR)


def _import_or_show(name: str) -> ModuleType:
    try:
        return _import(name)
    except ModuleNotFoundError as error:
        # Only the module or one of its parent packages is a bad target. Any other failed import is the application's
        # error.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ModuleFailedError(name, error) from error
        raise click.BadParameter(
            f"there is no module {name!r} in {os.getcwd()} or among the installed packages; "
            f"run honker where `import {name}` works",
            param_hint=METAVAR,
        ) from error
    except (Exception, SystemExit) as error:
        raise ModuleFailedError(name, error) from error


def split(target: str) -> tuple[str, str]:
    """The module and the variable that a target names.

    Raises:
        ValueError: It is not ``module.path:variable``.
    """
    module, colon, variable = target.partition(":")
    if module.endswith(".py") or os.sep in module:
        module = module.removesuffix(".py").strip(os.sep).replace(os.sep, ".")
        raise ValueError(f"{target!r} names a file; name the module as in an import: {module}:{variable or 'app'}")
    if not colon:
        raise ValueError(f"{target!r} has no colon; name the module and its variable, as in {target or 'shop'}:app")
    if not all(part.isidentifier() for part in (*module.split("."), *variable.split("."))):
        raise ValueError(f"{target!r} is not of the form module.path:variable, as in shop.tasks:app")
    return module, variable


def _import(name: str) -> ModuleType:
    # Like `python -m`; the path of an installed script begins with its own folder instead.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def find(module: ModuleType, variable: str) -> Database:
    """The database of the app in a variable of a module, or the database there; dots access attributes.

    Raises:
        AttributeError: The module has no such variable.
        TypeError: The variable is neither a `honker.App` nor a `honker.Database`.
    """
    value: Any = module
    for name in variable.split("."):
        if not hasattr(value, name):
            raise AttributeError(f"module {module.__name__!r} has no {variable!r}; {_databases(module)}")
        value = getattr(value, name)
    if isinstance(value, App):
        return value.db
    if not isinstance(value, Database):
        raise TypeError(
            f"{module.__name__}:{variable} is of type {type(value).__name__}, not a honker.App or the honker.Database "
            f"that honker.open() returns; {_databases(module)}"
        )
    return value


def _databases(module: ModuleType) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, (App, Database))]
    if not names:
        return "it has none: assign one, as in app = honker.App('app.db')"
    return f"its apps and databases are {', '.join(sorted(names))}"


def _application_traceback(error: BaseException) -> str:
    """An error's traceback without the frames of honker's command line and of the import machinery."""
    report = traceback.TracebackException.from_exception(error)
    todo: list[traceback.TracebackException | None] = [report]
    while todo:
        part = todo.pop()
        if part is not None:
            part.stack = traceback.StackSummary.from_list([each for each in part.stack if not _is_ours(each.filename)])
            todo += [part.__cause__, part.__context__]
    return "".join(report.format())


def _is_ours(filename: str) -> bool:
    return filename in {__file__, importlib.__file__} or filename.startswith("<frozen importlib")
