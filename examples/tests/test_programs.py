"""The programs of `examples/` run as documented: alone, and again with a kept database.

Each checks its own result and fails if it is wrong. The demo, `hash_files.py`, has separate tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
# The last line of each program's output.
LAST_WORDS = {
    "cron_report": "reports in",
    "orders_outbox": "3 orders packed, 3 webhooks delivered",
    "projection": "account c:",
    "rate_limited_api": "another worker does not close it: the lock is held",
    "run_tasks": "honker worker: stopped cleanly",
}
# A handler of these fails on purpose, and the log contains the error.
HAVE_A_FAILURE = {"orders_outbox", "run_tasks"}
# The first has separate tests; the second is imported by another.
NOT_HERE = {"hash_files", "tasks_module"}


def run_example(name, folder, *arguments):
    """Run a program with its temporary files in a folder, and return the printed lines."""
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("honker.Job" in done.stderr) if name in HAVE_A_FAILURE else not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_the_table_above_names_every_example():
    assert LAST_WORDS.keys() | NOT_HERE == {file.stem for file in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("name", sorted(LAST_WORDS))
def test_an_example_runs_and_leaves_nothing_behind(name, tmp_path):
    assert LAST_WORDS[name] in run_example(name, tmp_path)[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(LAST_WORDS))
def test_an_example_keeps_the_database_it_is_given_and_goes_on_with_it(name, tmp_path):
    database = tmp_path / "kept.db"
    for _ in range(2):
        assert LAST_WORDS[name] in run_example(name, tmp_path, database)[-1]
        assert database.is_file()


@pytest.mark.parametrize("name", sorted(LAST_WORDS | dict.fromkeys(NOT_HERE)))
def test_the_documentation_names_an_example(name):
    assert f"`{name}.py`" in (ROOT / "docs" / "examples.md").read_text("utf-8")
