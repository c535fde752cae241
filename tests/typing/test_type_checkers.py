"""mypy and pyright, both strict, find the wrong uses in the files of applications here, and nothing else."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import honker
import pytest

HERE = Path(__file__).parent
PACKAGE = Path(honker.__file__).parent
FILES = sorted(file for file in HERE.glob("*.py") if not file.name.startswith(("test_", "conftest")))


def expected():
    return {
        (file.name, number)
        for file in FILES
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if "  # error:" in line
    }


@pytest.fixture
def application(tmp_path):
    """The files in a directory of their own, as far from this project as those of an application."""
    for file in FILES:
        shutil.copy(file, tmp_path)
    return tmp_path


def run(arguments, directory):
    return subprocess.run(arguments, cwd=directory, capture_output=True, text=True, timeout=240, check=False)


def explained(found):
    """The differences between the lines with errors and those with expectations."""
    wanted = expected()
    unexpected = sorted(f"{name}:{line}: {text}" for (name, line), text in found.items() if (name, line) not in wanted)
    return unexpected, sorted(wanted - found.keys())


@pytest.mark.timeout(300)
def test_mypy_finds_the_wrong_uses_and_nothing_else(application):
    (application / "mypy.ini").write_text(
        f"[mypy]\nstrict = True\npython_version = 3.11\nmypy_path = {PACKAGE.parent}\nfollow_imports = silent\n"
        "cache_dir = .cache\nshow_column_numbers = False\n"
    )
    done = run([sys.executable, "-m", "mypy", *(file.name for file in FILES)], application)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    matches = re.finditer(r"^(\S+\.py):(\d+): error: (.*)$", done.stdout, re.MULTILINE)
    assert explained({(match[1], int(match[2])): match[3] for match in matches}) == ([], [])


@pytest.mark.timeout(300)
def test_pyright_finds_the_wrong_uses_and_nothing_else(application):
    (application / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "typeCheckingMode": "strict",
                "pythonVersion": "3.11",
                "extraPaths": [str(PACKAGE.parent)],
                "reportUnusedCoroutine": False,
            }
        )
    )
    done = run([sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable], application)
    report = json.loads(done.stdout)
    found = {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1): each["message"]
        for each in report["generalDiagnostics"]
        if each["severity"] == "error"
    }
    assert report["summary"]["filesAnalyzed"] >= len(FILES)
    assert explained(found) == ([], [])


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").exists()


def test_each_file_has_uses_of_both_kinds():
    assert {name for name, _ in expected()} == {file.name for file in FILES}
