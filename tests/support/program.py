"""The program `honker`, run as users run it."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

COMMAND = [sys.executable, "-W", "error", "-m", "honker"]


def environment(**changes):
    """The environment of the tests, without variables that change colours. A change to None removes a variable."""
    variables = {"TERM": "xterm", "NO_COLOR": None, "PYTHONUNBUFFERED": None, **changes}
    merged = {**os.environ, **variables}
    return {name: value for name, value in merged.items() if value is not None}


def honker(*arguments, cwd=None, text=None, **variables):
    """Run it to its end; return its output and its exit code."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=50,
        env=environment(**variables),
        check=False,
    )


class Program:
    """A running `honker` process."""

    def __init__(self, arguments, cwd, variables):
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**variables),
        )

    def line(self):
        """Wait for the next line of its output. Returns an empty text if the process has ended."""
        return self.process.stdout.readline().rstrip("\n")

    def expect(self, pattern):
        """Wait for a line of its output that matches the pattern."""
        return self._expect(pattern, self.process.stdout)

    def expect_notice(self, pattern):
        """As `expect`, on its standard error."""
        return self._expect(pattern, self.process.stderr)

    def _expect(self, pattern, stream):
        seen = stream.readline().rstrip("\n")
        match = re.fullmatch(pattern, seen)
        assert match, f"it printed {seen!r}, not {pattern!r}" + ("" if seen else f"; {self.end()}")
        return match

    def signal(self, number=signal.SIGINT):
        """Send a signal to it."""
        self.process.send_signal(number)

    def end(self):
        """Wait for its end; return the exit code, and the rest of its output and of its standard error."""
        output, errors = self.process.communicate(timeout=45)
        return self.process.returncode, output, errors


@contextmanager
def running(*arguments, cwd=None, **variables):
    """Run a `Program` for the length of the block, and kill it if it still runs at the end."""
    program = Program(arguments, cwd, variables)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()
        program.process.stdout.close()
        program.process.stderr.close()
