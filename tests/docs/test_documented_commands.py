"""Run every command of docs/cli.md, and of the pages about copies and upgrades, in its order, on one file."""

import re
import shlex
import subprocess
from pathlib import Path

import honker as package
import pytest
from honker.cli import main

from ..support.program import COMMAND, environment

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/cli.md").read_text("utf-8")


def commands(text):
    return re.findall(r"^\$ honker (.*)$", text, re.MULTILINE)


LINES = commands(TEXT)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """The file of the documents: a few jobs, two dead letters, a schedule, an event."""
    monkeypatch.chdir(tmp_path)
    with package.open("shop.db") as db:
        emails = db.queue("emails")
        for error in ("TimeoutError: slow", "TimeoutError: slower"):
            emails.enqueue({"to": "alice"})
            emails.claim_one("w").fail(error)
        emails.enqueue_many([1, 2, 3])
        emails.enqueue(4, delay=600)
        package.Scheduler(db).add(name="nightly", queue="emails", schedule=package.crontab("0 3 * * *"))
        db.stream("orders").publish(1)


@pytest.mark.parametrize(("page", "least"), [("cli", 30), ("backup", 2), ("upgrading", 3)])
def test_every_documented_command_succeeds(shop, capsys, page, least):
    text = (ROOT / f"docs/{page}.md").read_text("utf-8")
    lines = commands(re.sub(r"^```console no-run\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    assert len(lines) >= least
    for line in lines:
        code = main.run(shlex.split(line))
        captured = capsys.readouterr()
        assert code == 0, f"{line}: {captured.err}{captured.out}"


def test_every_command_is_documented():
    documented = {shlex.split(line)[0] for line in LINES}
    others = {"worker", "scheduler", "listen", "tail", "web"}  # they run until they are stopped; see their own pages
    others |= {"try"}  # needs a PostgreSQL server; see tests/postgres
    assert documented == set(main.commands.commands) - others


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_of_a_shell_is_made(shell):
    assert f"_HONKER_COMPLETE={shell}_source honker" in TEXT
    done = subprocess.run(
        COMMAND, env=environment(_HONKER_COMPLETE=f"{shell}_source"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "honker" in done.stdout


def test_a_command_is_completed():
    variables = {"_HONKER_COMPLETE": "bash_complete", "COMP_WORDS": "honker req", "COMP_CWORD": "1"}
    done = subprocess.run(COMMAND, env=environment(**variables), capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,requeue"]
