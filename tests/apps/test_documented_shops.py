"""The paths of the documents, walked as a reader would: files are written, commands run, servers served.

A block ```python file=NAME is written to that file. In a block ```console the lines that begin with `$` are commands,
which run to their end, and the others are their output. The command of a block ```console background goes on running;
its first line of output is waited for, and the others are there in the end. `...` stands for any text. Every command of
the background is stopped by SIGTERM, and has to stop in time. What `pip install` names is installed already.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..support.waiting import wait_until
from .serving import GRACE_S, START_S, free_port

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(
    r"^```(python file=(?P<file>\S+)|console(?P<background> background)?)\n(?P<text>.*?)^```$", re.M | re.S
)
_FAILURE = re.compile(r"Traceback|Exception|did not")


def pattern(line):
    return ".*".join(map(re.escape, line.split("...")))


class Reader:
    """A reader of a document, with a directory for the project."""

    def __init__(self, directory):
        self._directory = directory
        self._port = str(free_port())
        self._running = []
        scripts = os.path.dirname(sys.executable)
        self._environment = {**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}

    def read(self, document):
        for block in _BLOCK.finditer(document.replace("localhost:8000", "127.0.0.1:8000").replace("8000", self._port)):
            if block["file"]:
                (self._directory / block["file"]).write_text(block["text"], "utf-8")
            elif block["background"]:
                self._start(block["text"])
            else:
                for part in re.split(r"^\$ ", block["text"], flags=re.M)[1:]:
                    self._run(*part.partition("\n")[::2])
        for _, output, expected in self._running:
            wait_until(
                lambda output=output, expected=expected: re.search(expected, output.read_text(), re.S),
                START_S,
                every_s=0.05,
            )

    def _run(self, command, expected):
        if command.startswith("pip install"):
            return
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        if expected.strip() != "...":
            assert re.fullmatch(pattern(expected.rstrip()), done.stdout.rstrip(), re.S), f"{command}: {done.stdout}"

    def _start(self, text):
        command, *expected = text.removeprefix("$ ").splitlines()
        output = self._directory / f"{len(self._running)}.log"
        with output.open("wb") as log:
            process = subprocess.Popen(
                shlex.split(command),
                cwd=self._directory,
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((process, output, ".*".join(map(pattern, expected))))

        def is_ready():
            assert process.poll() is None, f"{command}: {output.read_text()}"
            return re.search(pattern(expected[0]), output.read_text())

        wait_until(is_ready, START_S, every_s=0.05)

    def stop(self):
        """Stop everything in the order in which it was started: the server first, with its clients connected."""
        for process, output, expected in self._running:
            process.send_signal(signal.SIGTERM)
            process.wait(GRACE_S)
            is_documented = _FAILURE.search(expected)
            assert is_documented or not _FAILURE.search(output.read_text()), output.read_text()

    def kill(self):
        for process, _, _ in self._running:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@pytest.fixture
def reader(tmp_path):
    reader = Reader(tmp_path)
    yield reader
    reader.kill()


@pytest.mark.parametrize("name", ["fastapi", "flask", "sqlalchemy", "tutorial"])
def test_a_reader_of_the_document_gets_what_it_shows(reader, name):
    if shutil.which("curl") is None:
        pytest.skip("the documents use curl, which this machine does not have")
    reader.read((DOCS / f"{name}.md").read_text("utf-8"))
    reader.stop()


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n```\n",
        "```console background\n$ cat missing\nfound\n```\n",
    ],
)
def test_a_document_that_promises_too_much_is_noticed(reader, text):
    with pytest.raises(AssertionError):
        reader.read(text)
