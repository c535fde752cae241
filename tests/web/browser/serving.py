"""The program ``honker web`` in a process of its own, as users start it."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import wait_until

HERE = Path(__file__).parent
START_S = 20
STOP_S = 15
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running page.

    Attributes:
        url: Its address, without a slash at the end.
        path: The database file.
    """

    def __init__(self, path, log, *options, port=None):
        self.path = path
        self.port = free_port() if port is None else port
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        command = [sys.executable, "-m", "honker", "web", path, "--port", self.port, *options]
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(each) for each in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error"},
            )

    @property
    def output(self):
        return self._log.read_text("utf-8")

    def wait(self):
        """Wait until it accepts connections."""
        wait_until(self._accepts, START_S, every_s=0.02)

    def _accepts(self):
        assert self.process.poll() is None, self.output
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def cpu_s(self):
        """Seconds of processor time that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def stop(self):
        """Stop it by Ctrl-C, and check that it has ended well and reported no error."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_S)
        assert not re.search(r"Traceback|\bERROR\b", self.output), self.output


@contextlib.contextmanager
def serving(path, log, *options):
    """Serve a file for the length of the block."""
    server = Server(path, log, *options)
    try:
        server.wait()
        yield server
        server.stop()
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def run_script(name, *arguments):
    """Run a script of this folder to its successful end."""
    subprocess.run([sys.executable, HERE / name, *map(str, arguments)], check=True, timeout=300)


@contextlib.contextmanager
def working(path):
    """Run the workers of the shop that hold jobs, for the length of the block."""
    command = [sys.executable, HERE / "shop_file.py", "work", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "working\n"
        yield process
        process.terminate()
        assert process.wait(STOP_S) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
