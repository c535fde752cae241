"""The build hook: runs cargo and puts the SQLite extension into the wheel.

The extension is a plain shared library with no Python symbol in it, so the wheel is tagged ``py3-none-<platform>`` and
serves every Python. An editable install builds the library too but leaves it in cargo's target directory, where the
package looks for it: a copy would silently go stale at the next ``cargo build``.
"""

import itertools
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CRATE = "honker-extension"
INSTALL_RUST = "install it with rustup (https://rustup.rs) or your system's packages, then run this again"

# Rust's names for the two processors of a Mac, and the oldest macOS that Rust builds for on each
# (https://doc.rust-lang.org/rustc/platform-support/apple-darwin.html).
MACOS_TARGETS = {"arm64": "aarch64-apple-darwin", "x86_64": "x86_64-apple-darwin"}
MACOS_FLOORS = {"arm64": "11.0", "x86_64": "10.12"}


class BuildError(Exception):
    """The build cannot continue; the message is one sentence for the user."""


class ExtensionBuildHook(BuildHookInterface):
    """Builds the extension for a wheel; hatchling finds this class by its base class."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Return the packages that the build needs: Zig, to link against an older glibc."""
        return ["cargo-zigbuild>=0.20", "ziglang>=0.13"] if "HONKER_GLIBC" in os.environ else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Run before each wheel build; ``version`` is "standard" or "editable"."""
        try:
            glibc = oldest_glibc()
            require_rust(Path(self.root))
            library = build_extension(Path(self.root), cargo_command(glibc))
        except BuildError as error:
            # Prints the sentence and exits, without a traceback of the build backend.
            self.app.abort(f"honker: {error}")
        if version == "editable":
            return
        build_data["force_include"][str(library)] = f"honker/_lib/{library.name}"
        build_data["pure_python"] = False  # the wheel goes to platlib and is not "any"
        build_data["tag"] = f"py3-none-{platform_tag(glibc)}"


def require_rust(root: Path) -> None:
    """Check the tools before cargo does: an old cargo fails on the edition with a message that does not help."""
    oldest = tomllib.loads((root / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["rust-version"]
    for tool in ("cargo", "rustc"):
        found = tool_version(tool, root, oldest)
        if as_numbers(found) < as_numbers(oldest):
            raise BuildError(
                f"{tool} {found} is too old: building from source needs Rust {oldest} or newer; {INSTALL_RUST}."
            )


def tool_version(tool: str, root: Path, oldest: str) -> str:
    """Return the version printed by ``tool --version``, such as ``1.95.0``."""
    try:
        # In the root, where rustup would look for a toolchain file.
        said = subprocess.run([tool, "--version"], cwd=root, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError:
        raise BuildError(
            f"{tool} was not found: building from source needs Rust {oldest} or newer; {INSTALL_RUST}."
        ) from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"`{tool} --version` failed: {error.stderr.strip()}") from None
    match = re.search(r"\d+\.\d+(\.\d+)?", said)
    if match is None:
        raise BuildError(f"`{tool} --version` gave no version but {said.strip()!r}.")
    return match[0]


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def oldest_glibc() -> str | None:
    """Return the version in HONKER_GLIBC, such as ``2.17``: the oldest glibc that the library may need.

    Without it the library needs that of the machine that builds it.
    """
    glibc = os.environ.get("HONKER_GLIBC")
    if glibc is None:
        return None
    if sys.platform != "linux" or re.fullmatch(r"2\.\d+", glibc) is None:
        raise BuildError(f"HONKER_GLIBC is {glibc!r}; on Linux give a version such as 2.17, elsewhere nothing.")
    return glibc


def cargo_command(glibc: str | None) -> list[str]:
    """Return cargo's command and target. Zig links against an older glibc than that of this machine."""
    if glibc is not None:
        return ["cargo", "zigbuild", "--target", f"{platform.machine()}-unknown-linux-gnu.{glibc}"]
    target = macos_cargo_target() if sys.platform == "darwin" else None
    return ["cargo", "build", *(() if target is None else ("--target", target))]


def build_extension(root: Path, cargo: list[str]) -> Path:
    """Build the release library and return where cargo put it.

    The path is read from cargo's own messages, so CARGO_TARGET_DIR, a `target-dir` in cargo's configuration and a build
    for another target are all respected without a second copy of cargo's rules here.
    """
    command = [*cargo, "--release", "--locked", "-p", CRATE, "--message-format=json-render-diagnostics"]
    # The library of this machine's SQLite is not asked for by pkg-config: the extension uses that of its host.
    environment = {**os.environ, "SQLITE3_NO_PKG_CONFIG": "1"} if "zigbuild" in cargo else None
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise BuildError("cargo could not build the extension; its messages are above.")
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact" and "cdylib" in message["target"]["kind"]:
            # On Windows the list also holds the import library.
            return next(Path(name) for name in message["filenames"] if Path(name).suffix in {".so", ".dylib", ".dll"})
    raise BuildError(f"cargo built {CRATE} but named no shared library.")


def platform_tag(glibc: str | None) -> str:
    """Return the wheel's platform: the machine cargo builds for.

    On Linux that is the plain ``linux_x86_64``. With HONKER_GLIBC it is a ``manylinux`` tag, which PyPI takes;
    ``make wheel`` lets auditwheel check it.
    """
    if glibc is not None:
        return f"manylinux_{glibc.replace('.', '_')}_{platform.machine()}"
    if sys.platform == "darwin":
        return macos_tag(macos_architecture(), os.environ.get("MACOSX_DEPLOYMENT_TARGET"))
    return re.sub(r"[^a-z0-9]", "_", sysconfig.get_platform().lower())


def macos_architecture() -> str:
    """Return the one processor to build for: the ``-arch`` in ARCHFLAGS, or else this machine's."""
    flags = shlex.split(os.environ.get("ARCHFLAGS", ""))
    named = [value for flag, value in itertools.pairwise(flags) if flag == "-arch"]
    architectures = set(named) or {platform.machine()}
    if len(architectures) > 1 or not architectures <= MACOS_TARGETS.keys():
        raise BuildError(
            f"ARCHFLAGS={' '.join(flags)!r} is not supported: build a separate wheel for each of arm64 and x86_64."
        )
    return architectures.pop()


def macos_cargo_target() -> str | None:
    """Return the target to give cargo, or None for the machine it runs on."""
    architecture = macos_architecture()
    return None if architecture == platform.machine() else MACOS_TARGETS[architecture]


def macos_tag(architecture: str, deployment_target: str | None) -> str:
    """Return the macOS tag for MACOSX_DEPLOYMENT_TARGET, which rustc raises to its own floor.

    >>> macos_tag("arm64", None), macos_tag("x86_64", None), macos_tag("x86_64", "13.4"), macos_tag("arm64", "10.9")
    ('macosx_11_0_arm64', 'macosx_10_12_x86_64', 'macosx_13_0_x86_64', 'macosx_11_0_arm64')
    """
    floor = as_numbers(MACOS_FLOORS[architecture])
    wanted = as_numbers(deployment_target) if deployment_target else floor
    major, minor = (*max(wanted, floor), 0)[:2]
    if major > 10:  # noqa: PLR2004 - from macOS 11 on only the major version counts: installers reject macosx_13_4
        minor = 0
    return f"macosx_{major}_{minor}_{architecture}"
