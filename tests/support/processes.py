"""Child processes: Python scripts that exchange lines with a test."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager


class Child:
    """A Python process. `line` reads its output, and `say` writes to its standard input."""

    def __init__(self, script, *arguments, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )

    def line(self):
        """Wait for the next line of its output. Returns an empty text if the process has ended."""
        return self.process.stdout.readline().rstrip("\n")

    def expect(self, text):
        """Wait for a line, and check that it is `text`."""
        seen = self.line()
        assert seen == text, f"the process printed {seen!r}, not {text!r}"

    def say(self, text=""):
        """Writes a line to its standard input."""
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def kill(self):
        """Kill it like a power cut, with no chance to clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def finish(self):
        """Wait for its successful end, and return the rest of its output as lines."""
        self.process.stdin.close()
        with self.process.stdout:
            rest = self.process.stdout.read()  # `communicate` would miss lines that `line` has read ahead
        self.process.wait(45)
        assert self.process.returncode == 0, f"the process ended with {self.process.returncode}"
        return rest.splitlines()


@contextmanager
def running(script, *arguments, **options):
    """Run a `Child` for the length of the block, and kill it if it still runs at the end."""
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
    """Run a script to its successful end, and return the printed lines."""
    with running(script, *arguments, **options) as child:
        return child.finish()
