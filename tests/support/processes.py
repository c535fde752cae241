"""Other processes: Python scripts that a test talks with, one line at a time."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager


class Child:
    """A Python process. What it prints is read with `line`; it reads what `say` gives it from its standard input."""

    def __init__(self, script, *arguments, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def line(self):
        """The next line of its output, waiting for it; an empty text if it has ended."""
        return self.process.stdout.readline().rstrip("\n")

    def expect(self, text):
        """Waits for a line, which must be `text`."""
        seen = self.line()
        assert seen == text, f"the process printed {seen!r}, not {text!r}"

    def say(self, text=""):
        """Writes a line to its standard input."""
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def kill(self):
        """Ends it as a power cut would, with no chance to clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def finish(self):
        """Waits for its end, which must be a success; the rest of its output, by lines."""
        rest, _ = self.process.communicate(timeout=45)
        assert self.process.returncode == 0, f"the process ended with {self.process.returncode}"
        return rest.splitlines()


@contextmanager
def running(script, *arguments, **options):
    """A `Child` for the length of the block; killed at its end if it is still there."""
    child = Child(script, *arguments, **options)
    try:
        yield child
    finally:
        if child.process.poll() is None:
            child.kill()
        child.process.stdin.close()
        child.process.stdout.close()


@contextmanager
def several(count, script, *arguments):
    """As `running`, for `count` of them at once."""
    children = [Child(script, *arguments) for _ in range(count)]
    try:
        yield children
    finally:
        for child in children:
            if child.process.poll() is None:
                child.kill()
            child.process.stdin.close()
            child.process.stdout.close()


def run(script, *arguments, **options):
    """Runs a script to its end, which must be a success; the lines it printed."""
    with running(script, *arguments, **options) as child:
        return child.finish()
