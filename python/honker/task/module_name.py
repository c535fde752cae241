"""The name by which other processes import the module of a function."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

#: The names of the module that the process runs: as a script or by ``python -m``, and in a child that
#: `multiprocessing` has spawned.
_MAIN: Final = frozenset({"__main__", "__mp_main__"})


def module_name_of(fn: Callable[..., Any]) -> str:
    """The module of a function or of another callable.

    ``python shop.py`` and ``python -m shop`` call the module that they run ``__main__``. Its name here is the one of an
    import, so that a worker which imports ``shop`` finds the same task.

    Returns:
        ``__main__`` if the module has no name to import it by, such as an interactive session.
    """
    name: str = fn.__module__
    if name not in _MAIN:
        return name
    main = sys.modules.get(name)
    # Code that `exec` runs under the name of the main module is not its file's.
    scope = getattr(inspect.unwrap(fn), "__globals__", None)
    if main is None or (scope is not None and scope is not vars(main)):
        return name
    return _import_name(main) or name


def is_of_main(fn: Callable[..., Any]) -> bool:
    """True for a function of the module that the process runs."""
    return fn.__module__ in _MAIN


def _import_name(main: ModuleType) -> str | None:
    spec = main.__spec__
    if spec is not None:  # python -m
        return spec.name
    path = getattr(main, "__file__", None)
    if path is None or not path.endswith(".py"):
        return None
    return _name_of_file(Path(path).resolve())


def _name_of_file(path: Path) -> str | None:
    """The file's name below the first folder that is no package."""
    parts = [path.stem]
    for folder in path.parents:
        if not (folder / "__init__.py").is_file():
            break
        parts.insert(0, folder.name)
    return ".".join(parts) if all(part.isidentifier() for part in parts) else None
