"""The program as a whole: its help, its colours, and errors common to all commands."""

import importlib.metadata
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from honker import __main__
from honker.cli import database_file, main
from honker.errors import InvalidArgumentError

from ..support.locking import ask
from ..support.program import COMMAND, environment, honker, running

COMMANDS = ["worker", "scheduler", "call", "enqueue", "queue", "pause", "resume", "cancel", "listen", "tail"]
COMMANDS += ["queues", "jobs", "job", "dead", "workers", "schedules", "streams", "locks", "workflows"]
COMMANDS += [
    "top",
    "requeue",
    "discard",
    "limits",
    "doctor",
    "backup",
    "restore",
    "migrate",
    "copy",
    "try",
    "metrics",
    "run-now",
    "web",
]
# A call of each command that takes a database file.
DATA_COMMANDS = {
    "call": ["call", "{}", "t"],
    "enqueue": ["enqueue", "{}", "q", "1"],
    "queue": ["queue", "configure", "{}", "q"],
    "pause": ["pause", "{}", "q"],
    "resume": ["resume", "{}", "q"],
    "cancel": ["cancel", "{}", "1"],
    "listen": ["listen", "{}", "c"],
    "tail": ["tail", "{}", "t", "--no-follow"],
    "jobs": ["jobs", "{}"],
    "requeue": ["requeue", "{}", "1"],
    "run-now": ["run-now", "{}", "1"],
    "metrics": ["metrics", "{}"],
    "top": ["top", "-n", "1", "{}"],
    "doctor": ["doctor", "{}"],
    "backup": ["backup", "{}", "copy.db"],
    "migrate": ["migrate", "{}"],
    "copy": ["copy", "{}", "target.db"],
}


def on_a_terminal(*arguments, cwd, **variables):
    """The output of a command on a terminal."""
    leader, follower = pty.openpty()
    try:
        subprocess.run(
            [*COMMAND, *arguments], cwd=cwd, stdout=follower, timeout=50, check=True, env=environment(**variables)
        )
        os.set_blocking(leader, False)
        return os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)


def test_importing_honker_does_not_import_its_command_line():
    script = "import sys, honker; sys.exit('click' in sys.modules or 'honker.cli' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=50, check=False).returncode == 0


def test_the_installed_program_is_the_same_as_the_module():
    [script] = importlib.metadata.entry_points(group="console_scripts", name="honker")
    assert script.load() is __main__.main


def test_the_version_is_that_of_the_package():
    done = honker("--version")
    assert done.stdout.startswith(f"honker {importlib.metadata.version('honker-db')} ")
    assert sqlite3.sqlite_version in done.stdout


def test_the_help_names_every_command():
    done = honker("--help")
    assert done.returncode == 0
    assert re.findall(r"^  ([\w-]+) {2,}\w", done.stdout.partition("Commands:")[2], re.MULTILINE) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_shows_an_example_and_the_exit_codes(command):
    done = honker(command, "--help")
    assert done.returncode == 0
    assert re.search(rf"Examples?:\n(.*\n)* +.*honker {command} ", done.stdout)
    assert "Exit codes: " in " ".join(done.stdout.split())
    assert "\b" not in done.stdout


def test_an_unknown_command_is_a_usage_error():
    done = honker("wrok")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command" in done.stderr


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_a_missing_file_is_not_created(tmp_path, command):
    file = tmp_path / "nowhere.db"
    done = honker(*(each.format(file) for each in DATA_COMMANDS[command]))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"'\S*nowhere.db' does not exist; name the database file", done.stderr)
    assert not file.exists()


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_a_directory_is_no_database(tmp_path, command):
    done = honker(*(each.format(tmp_path) for each in DATA_COMMANDS[command]))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is a directory" in done.stderr


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_a_file_that_is_no_database_is_refused(path, command):
    path.write_text("Dear diary, " * 1000)
    done = honker(*(each.format(path) for each in DATA_COMMANDS[command]))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"Error: '\S+': file is not a database\n", done.stderr)


def test_a_file_that_may_only_be_read_names_the_next_step(db, path, monkeypatch, capsys):
    """Root may write every file, so the error is made here."""

    def fail(*args, **options):
        error = sqlite3.OperationalError("attempt to write a readonly database")
        error.sqlite_errorcode = sqlite3.SQLITE_READONLY
        raise error

    monkeypatch.setattr(database_file, "connect_as_it_is", fail)
    for command in ("queues", "doctor"):
        assert main.run([command, str(path)]) == 1
        assert "run the command as a user who may write the file and its folder" in capsys.readouterr().err


@pytest.mark.parametrize("command", DATA_COMMANDS)
def test_a_database_without_honker_is_left_as_it_is(path, command):
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    before = path.read_bytes()
    done = honker(*(each.format(path) for each in DATA_COMMANDS[command]))
    assert (done.returncode, done.stdout) == (1, "")
    assert "has no honker tables" in done.stderr
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


def test_a_path_with_characters_of_a_uri_is_a_path(tmp_path):
    """The check for honker's tables opens the file by a URI."""
    odd = tmp_path / "a?b#c%20d é.db"
    with closing(sqlite3.connect(odd)) as conn:
        conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    assert "has no honker tables" in honker("tail", odd, "t").stderr
    assert [each.name for each in tmp_path.iterdir()] == [odd.name]


def test_a_value_that_the_engine_refuses_is_a_usage_error(db, path):
    done = honker("enqueue", path, "", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert ask(path, "SELECT count(*) FROM _honker_live") == [(0,)]


def test_ctrl_c_while_it_reads_its_input_ends_it_quietly(db, path, monkeypatch, capsys):
    class Terminal:
        def read(self):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Terminal())
    assert main.run(["enqueue", str(path), "q", "-"]) == 130
    assert "Traceback" not in capsys.readouterr().err


TAIL = ["tail", "app.db", "orders", "--from-start", "--no-follow"]


def test_output_is_coloured_on_a_terminal_only(db, tmp_path):
    db.stream("orders").publish({"id": 1})
    coloured = on_a_terminal(*TAIL, cwd=tmp_path)
    assert "\x1b[36m" in coloured
    assert "\x1b" not in honker(*TAIL, cwd=tmp_path).stdout
    assert "\x1b" not in on_a_terminal(*TAIL, cwd=tmp_path, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(*TAIL, cwd=tmp_path, TERM="dumb")


def test_what_others_have_stored_does_not_control_the_terminal(db, tmp_path):
    db.stream("orders").publish({"clear": "\x1b[2J", "c1": "\x9b2J", "turn": "\u202e"}, key="a\nb\x1b[31m")
    [line] = on_a_terminal(*TAIL, cwd=tmp_path, NO_COLOR="1").splitlines()
    assert line.isprintable()
    assert r'{"clear": "\u001b[2J", "c1": "\u009b2J", "turn": "\u202e"}' in line
    assert r"a\nb\u001b[31m" in line


def test_letters_that_the_terminal_does_not_know_do_not_end_it(db, tmp_path):
    db.stream("orders").publish("é \ud800")
    done = honker(*TAIL, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r'"\xe9 \ud800"' in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_that_cannot_be_written_is_one_line_and_an_exit_code(db, path, options):
    db.stream("t").publish("event")
    command = [*COMMAND, "tail", str(path), "t", "--from-start", "--no-follow", *options]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be written: No space left on device\n"


def test_ctrl_c_while_the_program_is_imported_ends_it_quietly(tmp_path):
    """The module `click` of this test waits for the signal, within the imports of the program."""
    (tmp_path / "click.py").write_text("import signal\nprint('importing', flush=True)\nsignal.pause()\n")
    with running("jobs", "app.db", PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}") as program:
        program.expect("importing")
        program.signal(signal.SIGINT)
        assert program.end() == (130, "", "")


def test_ctrl_c_while_the_application_is_imported_ends_the_program_quietly(tmp_path):
    (tmp_path / "slow.py").write_text("import signal\nprint('importing', flush=True)\nsignal.pause()\n")
    with running("worker", "slow:app", cwd=tmp_path) as program:
        program.expect("importing")
        program.signal(signal.SIGINT)
        assert program.end() == (130, "", "\n"), "the line of the terminal's ^C is ended"


@pytest.mark.parametrize("arguments", [["--help"], ["jobs", "--help"], ["--version"], ["jobs", "{}"], ["doctor", "{}"]])
def test_a_reader_that_has_gone_ends_the_program_quietly(db, path, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [*COMMAND, *(each.format(path) for each in arguments)]
        ended = subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=50, check=False, env=environment()
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


NUMBERS = ["1e400", "nan", "inf", "-inf"]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["jobs", "{}"], "--since"),
        (["dead", "{}", "--by", "error"], "--since"),
        (["requeue", "{}", "--all", "--yes"], "--since"),
        (["pause", "{}", "q"], "--until"),
        (["enqueue", "{}", "q", "1"], "--run-at"),
        (["enqueue", "{}", "q", "1"], "--delay"),
        (["enqueue", "{}", "q", "1"], "--expires"),
        (["enqueue", "{}", "q", "1", "--unique-key", "k"], "--unique-for"),
        (["limits", "{}", "q"], "--concurrency"),
        (["queue", "configure", "{}", "q"], "--keep-finished"),
        (["top", "{}", "-n", "1"], "--interval"),
    ],
)
def test_a_number_that_is_not_finite_is_a_usage_error_that_names_the_option(db, path, capsys, command, option, number):
    code = main.run([*(each.format(path) for each in command), f"{option}={number}"])
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert option in printed.err
    assert "JSON" not in printed.err


@pytest.mark.parametrize("rate", ["5/inf", "5/nan"])
def test_a_rate_over_no_finite_time_is_a_usage_error(db, path, capsys, rate):
    assert main.run(["limits", str(path), "q", "--rate", rate]) == 2
    assert "--rate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("since", "reason"),
    [("-5", "is before 1970"), ("9" * 30 + "w", "is longer than 100 years")],
    ids=["negative", "long"],
)
def test_a_moment_that_cannot_be_meant_is_a_usage_error(db, path, capsys, since, reason):
    assert main.run(["jobs", str(path), f"--since={since}"]) == 2
    assert reason in capsys.readouterr().err


def test_the_library_names_an_infinite_moment(db):
    with pytest.raises(InvalidArgumentError, match="since is inf seconds; it must be finite"):
        db.jobs(since=float("inf"))
