"""Two revisions of the project, each built and driven by its own files."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .sides import OURS, Side

ROOT = Path(__file__).resolve().parents[2]
#: Checkouts and their libraries, kept for the next comparison. Git ignores the folder.
KEPT = ROOT / "bench" / ".compared"


class BuildError(Exception):
    """A revision does not exist, or cannot be built."""


def resolve(revision):
    """The commit of a revision, abbreviated."""
    found = _git("rev-parse", "--verify", "--short=12", f"{revision}^{{commit}}")
    if found.returncode != 0:
        raise BuildError(f"REV is {revision!r}, and git knows no such commit, branch or tag: {found.stderr.strip()}")
    return found.stdout.strip()


def build(revision):
    """Check a revision out and build its extension, unless a comparison has done so before.

    Returns:
        Its folder, for `side`.
    """
    commit = resolve(revision)
    folder, target = KEPT / commit, KEPT / "target"
    library = _library(folder)
    if library.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.Popen(["git", "-C", ROOT, "archive", commit], stdout=subprocess.PIPE)
    unpacked = subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=False).returncode
    if archive.wait() != 0 or unpacked != 0:
        raise BuildError(f"{commit} cannot be unpacked into {folder}")
    command = ["cargo", "build", "--release", "--locked", "-p", "honker-extension", "--target-dir", target]
    if subprocess.run(command, cwd=folder, check=False).returncode != 0:
        raise BuildError(f"the extension of {commit} cannot be built; cargo's messages are above")
    library.parent.mkdir(parents=True)
    shutil.copy2(target / "release" / library.name, library)
    return folder


def side(name, folder):
    """Start the driver of a revision with its own package and library."""
    command = [sys.executable, str(folder / "bench" / "drivers" / f"{OURS}_driver.py")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "python"),
        "HONKER_EXTENSION_PATH": str(_library(folder)),
    }
    return Side(name, command, environment)


def _library(folder):
    suffix = "dylib" if sys.platform == "darwin" else "so"
    return folder / "target" / "release" / f"libhonker_ext.{suffix}"


def _git(*arguments):
    return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False)
