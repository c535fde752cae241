"""`scripts/release.py`: the points that a release needs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text("utf-8"), re.MULTILINE)[1]


@pytest.fixture
def release(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import release as script  # noqa: PLC0415 - only here its folder is among those searched

    return script


def test_all_packages_have_the_version_of_the_engine(release):
    assert list(release.check_packages(VERSION)) == []


def test_a_package_of_another_version_is_named(release):
    problems = list(release.check_packages("9.9.9"))
    assert len(problems) == len(release.PACKAGES)
    assert f"Cargo.toml has {VERSION}; write 9.9.9" in problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# Changelog\n\n## [1.0.0] - 2027-01-31\n\n- A line.\n\n## [0.9.0] - 2026-12-01\n", None),
        ("# Changelog\n\n## [1.0.0] - 2027-01-31\n\n## [0.9.0] - 2026-12-01\n\n- A line.\n", "lists nothing"),
        ("# Changelog\n\n## [Unreleased]\n\n- A line.\n", "no heading '## [1.0.0] - YYYY-MM-DD'"),
    ],
)
def test_the_changelog_has_a_dated_section_with_lines(release, monkeypatch, tmp_path, text, problem):
    (tmp_path / "CHANGELOG.md").write_text(text, "utf-8")
    monkeypatch.setattr(release, "ROOT", tmp_path)
    problems = list(release.check_changelog("1.0.0"))
    assert [problem in each for each in problems] == ([True] if problem else [])


def test_a_candidate_comes_before_its_release(release):
    ordered = ["0.2.0a1", "0.2.0b1", "0.2.0rc1", "0.2.0rc2", "0.2.0", "0.2.1", "0.10.0"]
    assert sorted(sorted(ordered), key=release._order) == ordered


def test_metadata_policies_and_guides_are_there(release):
    assert list(release.check_metadata(VERSION)) == []
    assert list(release.check_notes(VERSION)) == []


def test_a_version_of_another_form_is_named():
    command = [sys.executable, ROOT / "scripts" / "release.py", "v1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert "VERSION is 'v1'; it has the form 0.2.0 or 0.2.0rc1" in done.stderr
