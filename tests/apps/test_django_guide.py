"""The guide for Django users, followed to the letter in an empty directory."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apps.django_project import Process, free_port
from tests.support.waiting import wait_until

pytest.importorskip("django")
pytest.importorskip("pytest_django")

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "django.md"
BLOCK = re.compile(r"^```(\w+)(?: ([^\n]*))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Reader:
    """A reader of the guide, which carries out its blocks.

    Attributes:
        followed: The kinds of blocks that were followed, to see that none was missed.
    """

    def __init__(self, folder):
        self.folder = folder
        self.port = str(free_port())
        self.followed = []
        self._background = []
        self._output = ""
        bins = os.path.dirname(sys.executable)
        self._environment = {**os.environ, "PATH": f"{bins}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        self._environment.pop("DJANGO_SETTINGS_MODULE", None)

    def follow(self, language, words, text):
        """Carry out one block."""
        word, _, name = (words or "").partition("=")
        if word == "no-run":
            return
        self.followed.append(f"{language} {word}".strip())
        if language == "python":
            with open(self.folder / name, "a" if word == "append" else "w") as file:
                file.write(f"\n{text}" if word == "append" else text)
        elif language == "sh" and word == "background":
            command = ["bash", "-c", "exec " + text.replace("8000", self.port)]
            self._background.append(Process(command, self.folder, self._environment))
        elif language == "sh":
            self._run(text.replace("8000", self.port))
        elif word == "background":
            wait_until(lambda: text in "".join(each.output for each in self._background), 40)
        else:
            assert self._output == text.rstrip("\n")

    def _run(self, script):
        if "curl" in script:  # a person starts it when the server has told its address
            self._background[0].expect("Quit the server")
        ended = subprocess.run(
            ["bash", "-ec", f"{script}\necho; pwd"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=55,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        output, _, folder = ended.stdout.rstrip("\n").rpartition("\n")
        self._output, self.folder = output, Path(folder)

    def leave(self):
        """Stop the background processes; return their exit codes."""
        for each in self._background:
            each.send(signal.SIGINT, is_group=True)
        codes = [each.end() for each in self._background]
        for each in self._background:
            each.process.stdout.close()
        return codes


def test_the_guide_can_be_followed(tmp_path):
    reader = Reader(tmp_path)
    try:
        for language, words, text in BLOCK.findall(GUIDE.read_text("utf-8")):
            reader.follow(language, words, text)
    finally:
        codes = reader.leave()
    assert codes == [0, 0]
    assert reader.followed == [
        "sh",
        "python append",
        *["python file"] * 4,
        "sh",
        "sh background",
        "sh background",
        "sh",
        "text",
        "text background",
        "python file",
        "sh",
    ]
