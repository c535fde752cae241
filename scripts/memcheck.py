"""Run tests on the extension under AddressSanitizer or valgrind.

``asan`` builds the extension with AddressSanitizer and runs ``tests/sql``, ``tests/hostile`` and the tests of the C
functions with it. It is half as fast, and checks every access of the extension exactly. ``valgrind`` runs the ordinary
build at a thirtieth of the speed, so only on the tests that call everything once. It also finds uninitialised memory,
SQLite's use of our memory, and leaks.

Usage: ``python scripts/memcheck.py asan|valgrind [PYTEST ARGUMENT]...``. Exits with 1 if the tests fail, or if a
finding has the extension in its stack. Needs Linux, gcc (for libasan) and valgrind.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
LIBRARY: Final = "libhonker_ext.so"
PYTEST: Final = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")

ASAN_TESTS: Final = (
    "tests/sql",
    "tests/hostile",
    "tests/watch/test_watcher_fork.py",
    "tests/watch/test_watcher_sharing.py",
)
# Each function of the contract, each error, every way of closing, and the watchers.
VALGRIND_TESTS: Final = tuple(
    f"tests/sql/test_{name}.py"
    for name in ("reference_examples", "error_codes", "connection_close", "worker_round", "watcher_functions")
)
# Tests that measure memory, which a sanitizer multiplies, or that load their own SQLite.
NOT_UNDER_WATCH: Final = " and ".join(
    f"not {part}" for part in ("huge", "blob_for_a_payload", "too_long", "returns_descriptors", "real_sqlite", "shell")
)


def host() -> str:
    """The triple of this machine. An explicit target keeps the flags away from the build scripts."""
    told = subprocess.run(["rustc", "--version", "--verbose"], capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in told.splitlines() if line.startswith("host: "))
    return line.removeprefix("host: ")


def build_with_asan() -> Path:
    """Build the extension with AddressSanitizer; stable Rust supports it if RUSTC_BOOTSTRAP is set."""
    flags = "-Zsanitizer=address -Cforce-frame-pointers=yes -Cdebuginfo=1"
    environment = {**os.environ, "RUSTC_BOOTSTRAP": "1", "RUSTFLAGS": flags}
    settings = ["--config", "profile.release.lto=false", "--config", 'profile.release.strip="none"']
    folder = ROOT / "target" / "asan"
    command = ["cargo", "build", "--release", "--locked", "-p", "honker-extension", "--target", host()]
    subprocess.run([*command, "--target-dir", folder, *settings], cwd=ROOT, env=environment, check=True)
    return folder / host() / "release" / LIBRARY


def build_with_debug_information() -> Path:
    """Build the ordinary extension with debug information, so that valgrind names lines."""
    settings = ["--config", "profile.release.debug=1", "--config", 'profile.release.strip="none"']
    folder = ROOT / "target" / "valgrind"
    command = ["cargo", "build", "--release", "--locked", "-p", "honker-extension", "--target-dir", folder, *settings]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder / "release" / LIBRARY


def run_with_asan(arguments: list[str], logs: Path) -> int:
    """Return the tests' exit code; findings are files among the logs."""
    runtime = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    # Python frees little at its end, so only valgrind looks for leaks.
    options = f"detect_leaks=0:halt_on_error=1:log_path={logs / 'asan'}"
    environment = {"LD_PRELOAD": runtime.stdout.strip(), "ASAN_OPTIONS": options}
    return run([*PYTEST, "--timeout", "300", *(arguments or ASAN_TESTS)], build_with_asan(), environment)


def run_with_valgrind(arguments: list[str], logs: Path) -> int:
    """Return the tests' exit code; findings are files among the logs."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is missing; install it with the system's package manager")
    watch = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite", "--num-callers=30"]
    watch += [f"--log-file={logs / 'valgrind.%p'}", "--fair-sched=try"]
    tests = [*PYTEST, "--timeout", "0", *(arguments or VALGRIND_TESTS)]
    return run([*watch, *tests], build_with_debug_information(), {})


def run(command: list[str], library: Path, environment: dict[str, str]) -> int:
    """Run tests on a library, without Python's own allocator."""
    watched = {**os.environ, "PYTHONMALLOC": "malloc", "HONKER_EXTENSION_PATH": str(library), **environment}
    return subprocess.run([*command, "-k", NOT_UNDER_WATCH], cwd=ROOT, env=watched, check=False).returncode


def findings(logs: Path) -> list[str]:
    """Return the reports with the extension in their stack; the others are Python's."""
    reports: list[str] = []
    for log in sorted(logs.iterdir()):
        text = log.read_text(errors="replace")
        blocks = [text] if log.name.startswith("asan") else re.split(r"(?m)^==\d+== *\n", text)
        reports += [block for block in blocks if LIBRARY in block or "honker_" in block]
    return reports


def main() -> int:
    """Run the tests under the requested tool."""
    watches = {"asan": run_with_asan, "valgrind": run_with_valgrind}
    watch, *arguments = sys.argv[1:] or [""]
    if watch not in watches:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        outcome = watches[watch](arguments, Path(folder))
        found = findings(Path(folder))
    print(*found, f"{watch}: {len(found)} findings in the extension", sep="\n")
    return 1 if found or outcome != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
