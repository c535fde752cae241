"""Finding ``libhonker_ext``, the engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from honker.errors import ExtensionNotFoundError

EXTENSION_ENTRYPOINT: Final = "sqlite3_honkerext_init"

_PATH_VARIABLE: Final = "HONKER_EXTENSION_PATH"
_FILE_NAMES: Final = {"win32": "honker_ext.dll", "darwin": "libhonker_ext.dylib"}


def extension_info() -> tuple[str, str]:
    """The path of the engine's library, and its entry point.

    Checks the environment variable ``HONKER_EXTENSION_PATH``, then the package, then, if the package is part of a
    checkout of honker, its ``target/release``.

    Returns:
        The path and the name of the entry point, for any host that can load SQLite extensions.

    Raises:
        ExtensionNotFoundError: The library is in none of these places.
    """
    chosen = os.environ.get(_PATH_VARIABLE)
    if chosen:
        if not os.path.isfile(chosen):
            raise ExtensionNotFoundError(f"{_PATH_VARIABLE} names {chosen!r}, which is not a file; correct or unset it")
        return chosen, EXTENSION_ENTRYPOINT
    name = _FILE_NAMES.get(sys.platform, "libhonker_ext.so")
    package = Path(__file__).resolve().parents[1]
    candidates = [package / "_lib" / name]
    checkout = package.parents[1]
    if (checkout / "crates" / "honker-extension").is_dir():  # another project may have a target/release
        candidates.append(checkout / "target" / "release" / name)
    for candidate in candidates:
        if candidate.is_file():
            return str(candidate), EXTENSION_ENTRYPOINT
    raise ExtensionNotFoundError(
        f"{name} is not in {' or '.join(str(candidate.parent) for candidate in candidates)}; "
        f"reinstall honker, run `cargo build --release`, or set {_PATH_VARIABLE}"
    )
