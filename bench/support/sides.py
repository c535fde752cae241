"""The sides of a comparison: honker, plain `sqlite3` and the peers, each in a separate process."""

import contextlib
import json
import os
import selectors
import subprocess
import sys

from . import peers
from .checks import SideError

OURS, PLAIN = "honker", "sqlite3"
#: Plain SQLite with a sync at each commit, as in the defaults of some peers.
PLAIN_FULL = "sqlite3 FULL"

# No single request takes longer, unless something hangs.
PATIENCE_S = 600

COMMANDS = {
    OURS: [sys.executable, str(peers.DRIVERS / "honker_driver.py")],
    PLAIN: [sys.executable, str(peers.DRIVERS / "plain_driver.py")],
    PLAIN_FULL: [sys.executable, str(peers.DRIVERS / "plain_driver.py"), "full"],
}


class Side:
    """A driver's process. Each method of the driver can be called by its name."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.is_peer = environment is None and name not in COMMANDS
        # Settings for the benchmark's own interpreter, or for our extension, do not apply to a peer.
        hidden = {"PYTHONPATH", "HONKER_EXTENSION_PATH"} if self.is_peer else set()
        if environment is None:
            environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.pid = self._process.pid

    def __getattr__(self, do):
        if do.startswith("_"):
            raise AttributeError(do)

        def call(**arguments):
            self.ask(do, **arguments)
            return self.answer()

        return call

    def ask(self, do, **arguments):
        """Send a request; `answer` returns its answer later."""
        with contextlib.suppress(BrokenPipeError):  # `answer` reports why it ended
            self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            self._process.stdin.flush()

    def answer(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE_S):
                self.kill()
                raise self._error(f"no answer within {PATIENCE_S} s")
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip().splitlines()
            raise self._error(said[-1] if said else f"its process ended with {self._process.wait()}")
        answer = json.loads(line)
        if "unsupported" in answer:
            raise Unsupported(f"{self.name} cannot {answer['unsupported']}", is_peer=self.is_peer)
        if "error" in answer:
            raise self._error(answer["error"])
        return answer["done"]

    def _error(self, text):
        return SideError(f"{self.name}: {text}", is_peer=self.is_peer)

    def kill(self):
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class Unsupported(SideError):
    """A driver does not support an operation, which is not a failure."""


@contextlib.contextmanager
def start(run, *names):
    """Start the sides that are available, and report the others to the run.

    Args:
        run: Decides if peers take part.
        names: The requested sides; by default all except `sqlite3 FULL`.
    """
    commands = dict(COMMANDS)
    if run.with_peers:
        ready, missing = peers.commands()
        commands.update(ready)
        for name, reason in missing.items():
            if not names or name in names:
                run.leave_out(name, reason)
    with contextlib.ExitStack() as stack:
        sides = {}
        for name, command in commands.items():
            if name in names or (not names and name != PLAIN_FULL):
                side = Side(name, command)
                stack.callback(side.kill)
                probe(run, side, sides)
        yield sides


def probe(run, side, sides):
    """Open a database once. A side that fails is left out; the others report their versions."""
    with run.new_folder() as folder:
        try:
            side.open(path=str(folder / "probe.db"))
            run.sides[side.name] = side.describe()
            side.close()
        except SideError as error:
            if not side.is_peer:
                raise
            run.leave_out(side.name, str(error))
        else:
            sides[side.name] = side
