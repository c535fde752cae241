"""The queues to compare with, each in a virtual environment under bench/.peers."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).parents[1] / ".peers"
DRIVERS = Path(__file__).parents[1] / "drivers"

#: The variable that names an interpreter with the public honker installed.
REFERENCE = "HONKER_REFERENCE_PYTHON"

# The time limit for pip: without a network it must not delay the other measurements.
PATIENCE_S = 120


@dataclass(frozen=True)
class Peer:
    """A package, in the version that was examined, and the ways to run it."""

    name: str
    requirement: str  # for pip; several are separated by a comma and a space
    driver: str
    sides: dict[str, tuple[str, ...]]  # the driver's arguments, by the displayed name

    @property
    def folder(self):
        return PLACE / self.name

    @property
    def python(self):
        return self.folder / "bin" / "python"

    @property
    def marker(self):
        """The file written after a complete installation."""
        return self.folder / "installed"

    @property
    def is_installed(self):
        return self.marker.exists() and self.marker.read_text("utf-8") == self.requirement


PEERS = (
    Peer("huey", "huey==3.5.4", "huey_driver.py", {"huey": (), "huey tuned": ("tuned",)}),
    Peer("litequeue", "litequeue==0.9", "litequeue_driver.py", {"litequeue": ()}),
    Peer(
        "persist-queue",
        "persist-queue==1.1.0",
        "persistqueue_driver.py",
        {"persist-queue": (), "persist-queue tuned": ("tuned",)},
    ),
)

#: Those on PostgreSQL, for `postgres.py`.
POSTGRES_PEERS = (
    Peer("procrastinate", "procrastinate==3.10.0, psycopg[binary]", "procrastinate_driver.py", {"procrastinate": ()}),
    Peer("pgqueuer", "pgqueuer[asyncpg]==1.6.0", "pgqueuer_driver.py", {"pgqueuer": ()}),
)


def install(peer):
    """Create the peer's environment if it is missing. An error gives the reason in one line."""
    if peer.is_installed:
        return
    shutil.rmtree(peer.folder, ignore_errors=True)
    # Use this environment's pip, which saves installing one there.
    pip = [sys.executable, "-m", "pip", "--python", str(peer.python), "--disable-pip-version-check", "--no-input"]
    run([sys.executable, "-m", "venv", "--without-pip", str(peer.folder)])
    run([*pip, "install", "--quiet", *peer.requirement.split(", ")])
    peer.marker.write_text(peer.requirement, "utf-8")


def run(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise InstallError(f"not finished within {PATIENCE_S} s") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise InstallError(lines[-1] if lines else f"pip ended with {done.returncode}")


class InstallError(Exception):
    """A peer could not be installed."""


def commands():
    """The command of each side of each peer on SQLite, or the reason why it is missing: two dicts by name."""
    ready, missing = commands_of(PEERS)
    reference = os.environ.get(REFERENCE)
    if not reference:
        missing["reference"] = f"{REFERENCE} names no interpreter"
    elif shutil.which(reference) is None:
        missing["reference"] = f"{REFERENCE} names {reference}, which cannot be run"
    else:
        ready["reference"] = [reference, str(DRIVERS / "honker_driver.py"), "reference"]
    return ready, missing


def commands_of(some):
    """The same for some peers."""
    ready, missing = {}, {}
    for peer in some:
        for side, arguments in peer.sides.items():
            if peer.is_installed:
                ready[side] = [str(peer.python), str(DRIVERS / peer.driver), *arguments]
            else:
                missing[side] = (
                    f"{peer.requirement} is not installed; `make bench` installs it where there is a network"
                )
    return ready, missing
