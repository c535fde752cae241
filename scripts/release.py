"""Check the points that a release needs, and print the command that makes it. Changes nothing.

    python scripts/release.py VERSION

Exit code 0: all points hold. 1: some do not; each is printed with the next step.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?")
#: Figures of a release are not older than this.
FRESH = timedelta(days=30)

#: By file, what stands around the version of a package.
PACKAGES = {
    "Cargo.toml": r'^version = "(.+)"$',
    "bindings/rust/Cargo.toml": r'^version = "(.+)"$',
    "bindings/node/package.json": r'^  "version": "(.+)",$',
    "bindings/bun/package.json": r'^  "version": "(.+)",$',
    "bindings/elixir/mix.exs": r'^  @version "(.+)"$',
    "bindings/dotnet/Directory.Build.props": r"<Version>(.+)</Version>",
    "bindings/jvm/pom.xml": r"^  <version>(.+)</version>$",
    "bindings/kotlin/pom.xml": r"^  <version>(.+)</version>$",
    "bindings/ruby/lib/honker/version.rb": r'^ +VERSION = "(.+)"$',
    "bindings/cpp/CMakeLists.txt": r"^project\(honker VERSION (\S+) ",
}


def main() -> int:
    """Run all checks.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(description="Check the points that a release needs. Changes nothing.")
    parser.add_argument("version", help="such as 0.2.0 or 0.2.0rc1")
    version: str = parser.parse_args().version
    if VERSION.fullmatch(version) is None:
        parser.error(f"VERSION is {version!r}; it has the form 0.2.0 or 0.2.0rc1")
    failures = 0
    for title, check in CHECKS:
        problems = list(check(version))
        print(f"{'no ' if problems else 'ok '} {title}")
        for problem in problems:
            print(f"     {problem}")
        failures += bool(problems)
    if failures:
        print(f"\n{failures} of {len(CHECKS)} points do not hold.", file=sys.stderr)
        return 1
    tag = f"v{version}"
    print(f"\nAll hold. The release is made by:  git tag -s {tag} -m 'honker {version}' && git push origin {tag}")
    return 0


def check_checkout(_: str) -> Iterator[str]:
    """The checkout is clean, and on main."""
    if changed := _git("status", "--porcelain"):
        yield f"{len(changed.splitlines())} files are not committed; commit or remove them"
    if (branch := _git("branch", "--show-current")) != "main":
        yield f"the branch is {branch!r}; check out main"


def check_tag(version: str) -> Iterator[str]:
    """The version is new, and follows the last one."""
    tags = _git("tag", "--list", "v*").split()
    if f"v{version}" in tags:
        yield f"the tag v{version} exists; choose the next version"
    releases = [_order(tag[1:]) for tag in tags if VERSION.fullmatch(tag[1:])]
    if releases and _order(version) < max(releases):
        yield f"a newer release than {version} exists"


def check_packages(version: str) -> Iterator[str]:
    """Each package has this version."""
    for name, pattern in PACKAGES.items():
        file = ROOT / name
        found = re.search(pattern, file.read_text("utf-8"), re.MULTILINE) if file.exists() else None
        if found is None:
            yield f"{name} has no version"
        elif found[1] != version:
            yield f"{name} has {found[1]}; write {version}"


def check_changelog(version: str) -> Iterator[str]:
    """The changelog has a dated heading for this version, with lines below it."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    section = re.search(
        rf"^## \[{re.escape(version)}\] - (\d{{4}}-\d\d-\d\d)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if section is None:
        yield f"CHANGELOG.md has no heading '## [{version}] - YYYY-MM-DD'"
    elif "- " not in section[2]:
        yield f"CHANGELOG.md lists nothing under {version}"


def check_metadata(_: str) -> Iterator[str]:
    """The package names its home, its licence and its readme."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for key in ("urls", "license", "readme", "description"):
        if not project.get(key):
            yield f"pyproject.toml lacks project.{key}"


def check_figures(_: str) -> Iterator[str]:
    """The figures of the benchmark and of the torture are recent, and no job was lost."""
    results = json.loads((ROOT / "bench" / "results.json").read_text("utf-8"))
    newest = datetime.fromtimestamp(max(each["began_at"] for each in results.values()), UTC)
    if datetime.now(UTC) - newest > FRESH:
        yield f"bench/results.json is of {newest:%Y-%m-%d}; run `make bench`"
    missed = [each["key"] for result in results.values() for each in result["targets"] if each["is_reached"] is False]
    if missed:
        yield f"targets that are not reached: {', '.join(sorted(set(missed)))}; docs/benchmark.md gives the reasons"


def check_notes(_: str) -> Iterator[str]:
    """Files that users look for are there."""
    for name in ("LICENSE", "SECURITY.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "README.md"):
        if not (ROOT / name).is_file():
            yield f"{name} is missing"


CHECKS: list[tuple[str, Callable[[str], Iterator[str]]]] = [
    ("the checkout is clean and on main", check_checkout),
    ("the version is new", check_tag),
    ("all packages have the version", check_packages),
    ("CHANGELOG.md has a section for it", check_changelog),
    ("the metadata of the package is complete", check_metadata),
    ("the figures are recent, and all targets are reached", check_figures),
    ("licence, policies and guides are there", check_notes),
]


def _order(version: str) -> tuple[int, int, int, str, int]:
    """The place of a version among others; a final one comes after its candidates."""
    found = VERSION.fullmatch(version)
    assert found is not None
    major, minor, patch, stage, number = found.groups()
    return int(major), int(minor), int(patch), stage or "z", int(number or 0)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
