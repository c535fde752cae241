"""Run the tests on other versions of SQLite: the oldest supported, the newest, and some in between.

Python's ``sqlite3`` is linked to a shared ``libsqlite3``. Replacing this library gives the whole test suite another
SQLite with the same Python. The sources come from the releases of the crate ``libsqlite3-sys``, each with the
amalgamation of one version, so cargo and a C compiler are enough.

Usage: ``python scripts/test_sqlite_versions.py [--only VERSION]... [PYTEST ARGUMENT]...``. Without arguments for pytest
it runs ``tests/sql``, ``tests/integration``, ``tests/hostile`` and ``tests/watch``. Needs Linux and a Python whose
``sqlite3`` is linked dynamically; otherwise it exits with a message. Prints a line for each version and exits with 1 if
one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BUILT: Final = ROOT / "target" / "sqlite"

#: Versions of SQLite and the release of libsqlite3-sys with each; `cargo info libsqlite3-sys` prints the newest.
CRATES: Final = {
    "3.38.0": "0.24.0",  # the oldest that the extension accepts
    "3.39.2": "0.25.2",
    "3.41.2": "0.26.0",
    "3.54.1": "0.39.1",  # the newest
}
#: An unsupported version, to test the message.
TOO_OLD: Final = ("3.37.0", "0.23.2")

TESTS: Final = ("tests/sql", "tests/integration", "tests/hostile", "tests/watch")

# Options of distributions' builds that matter to Python's module or to the tests. Old versions without usleep() wait
# for a lock in whole seconds.
FEATURES: Final = ("COLUMN_METADATA", "FTS3", "FTS3_PARENTHESIS", "FTS5", "RTREE", "MATH_FUNCTIONS", "DESERIALIZE")
FLAGS: Final = (
    *("-O1", "-shared", "-fPIC", "-Wl,-soname,libsqlite3.so.0", "-DSQLITE_THREADSAFE=1", "-DHAVE_USLEEP=1"),
    *(f"-DSQLITE_ENABLE_{feature}" for feature in FEATURES),
)


def source(crate: str) -> Path:
    """The amalgamation in a release of libsqlite3-sys, fetched by cargo."""
    package = BUILT / f"crate-{crate}"
    (package / "src").mkdir(parents=True, exist_ok=True)
    (package / "src" / "lib.rs").write_text("")
    (package / "Cargo.toml").write_text(
        f'[package]\nname = "sqlite-source"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n'
        f'[dependencies]\nlibsqlite3-sys = "={crate}"\n'
    )
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--quiet"],
        cwd=package,
        capture_output=True,
        text=True,
        check=True,
    )
    packages = json.loads(metadata.stdout)["packages"]
    (found,) = (Path(each["manifest_path"]).parent for each in packages if each["name"] == "libsqlite3-sys")
    return found / "sqlite3" / "sqlite3.c"


def library(version: str, crate: str) -> Path:
    """The folder of that version's shared library, built once."""
    folder = BUILT / version
    built = folder / "libsqlite3.so.0"
    if not built.exists():
        folder.mkdir(parents=True, exist_ok=True)
        compiler = shutil.which("cc") or shutil.which("gcc") or sys.exit("a C compiler is missing")
        subprocess.run([compiler, *FLAGS, "-o", built, source(crate), "-ldl", "-lpthread", "-lm"], check=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """The environment of a process that uses the library in a folder."""
    return {**os.environ, "LD_LIBRARY_PATH": str(folder)}


def version_seen(folder: Path) -> str:
    """The SQLite version of a Python in that environment."""
    asked = [sys.executable, "-c", "import sqlite3; print(sqlite3.sqlite_version)"]
    return subprocess.run(asked, env=environment(folder), capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Run the tests on each version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="VERSION", choices=[*CRATES], help="skip the others")
    chosen, arguments = parser.parse_known_args()
    library(*TOO_OLD)
    failed: list[str] = []
    for version in chosen.only or CRATES:
        folder = library(version, CRATES[version])
        if (seen := version_seen(folder)) != version:
            sys.exit(f"this Python's sqlite3 stays at SQLite {seen}: it is not linked to a shared libsqlite3.so.0")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(arguments or TESTS)]
        outcome = subprocess.run(command, cwd=ROOT, env=environment(folder), check=False).returncode
        print(f"SQLite {version}: {'passed' if outcome == 0 else 'FAILED'}", flush=True)
        if outcome != 0:
            failed.append(version)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
