"""The first task of the README, typed as a newcomer would type it."""

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")


def test_the_first_task_runs_as_the_readme_shows_it(tmp_path):
    program = re.search(r"^```python file=(\S+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert program is not None
    (tmp_path / program[1]).write_text(program[2], "utf-8")
    typed, expected = re.search(r"^\$ (honker worker .*) &\n\$ python shop\.py\n(.*)$", README, re.MULTILINE).groups()
    command = [sys.executable, "-m", *shlex.split(typed)]
    worker = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        caller = [sys.executable, program[1]]
        called = subprocess.run(caller, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
        assert called.stdout == f"{expected}\n", called.stderr
    finally:
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=20)
    assert worker.returncode == 0, said
