"""The Django project of the tests, copied into an empty directory, and its processes."""

import itertools
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

from tests.support.waiting import wait_until

_numbers = itertools.count()
SOURCE = Path(__file__).with_name("django_shop")


class Project:
    """A copy of the project, with databases of its own.

    Args:
        folder: Its directory, which does not exist yet.
        server: The PostgreSQL server of its databases; None for SQLite files in its directory.

    Attributes:
        folder: Its directory.
        url: The URL of its database; None for SQLite.
    """

    def __init__(self, folder, server=None):
        self.folder = folder
        shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        self.environment = {**os.environ, "SHOP_DATA": str(folder), "PYTHONUNBUFFERED": "1"}
        self.environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.url = None
        if server is not None:
            name = f"project_{next(_numbers)}"
            self.environment |= {"SHOP_SERVER": str(server.folder), "SHOP_NAME": name}
            self.url = server.create_database(f"{name}_shop")
            server.create_database(f"{name}_jobs")

    def ask(self, sql):
        """The rows of a statement. Tables of honker have the names of SQLite."""
        if self.url is not None:
            with psycopg.connect(self.url) as conn:
                return conn.execute(sql.replace("_honker_", "honker.")).fetchall()
        with closing(sqlite3.connect(self.folder / "shop.sqlite3", timeout=20)) as conn:
            return conn.execute(sql).fetchall()

    def run(self, *command, **environment):
        """Run a command of Python to its end; return its output and its exit code."""
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=55,
            check=False,
        )

    def manage(self, *arguments, **environment):
        """Run a command of manage.py, which must succeed; return its output."""
        ended = self.run("manage.py", *arguments, **environment)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    def shell(self, code):
        """Run code with the project set up; return its output."""
        return self.manage("shell", "--no-imports", "--command", code).strip()

    @contextmanager
    def started(self, *command):
        """Run a command of Python during the block, and kill its process group at the end."""
        process = Process([sys.executable, *map(str, command)], self.folder, self.environment)
        try:
            yield process
        finally:
            process.kill()


class Process:
    """A running command in a process group of its own. A thread collects its output."""

    def __init__(self, command, folder, environment):
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def output(self):
        """All that it has printed."""
        return "".join(self._lines)

    def expect(self, text, count=1):
        """Wait until it has printed a text, as often as that."""
        wait_until(lambda: self.output.count(text) >= count or self._has_ended(), 40)
        assert self.output.count(text) >= count, self.output

    def _has_ended(self):
        return self.process.poll() is not None and not self._reader.is_alive()

    def send(self, number=signal.SIGTERM, *, is_group=False):
        """Send a signal to it, or to all its processes, as a terminal or a service manager does."""
        (os.killpg if is_group else os.kill)(self.process.pid, number)

    def end(self):
        """Wait for its end, and return its exit code."""
        code = self.process.wait(timeout=40)
        self._reader.join()
        return code

    def stop(self, number=signal.SIGTERM, *, is_group=False):
        """Send a signal, and check that it ends well."""
        self.send(number, is_group=is_group)
        code = self.end()
        assert code == 0, f"it ended with {code}: {self.output}"
        assert "Traceback" not in self.output, self.output

    def kill(self):
        """Kill all its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()


def free_port():
    """A port that is free at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Site:
    """A client of the running shop."""

    def __init__(self, port):
        self._root = f"http://127.0.0.1:{port}"

    def get(self, path):
        """The text of a page; None while no server answers."""
        try:
            with urllib.request.urlopen(self._root + path, timeout=30) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return None

    def order(self, **form):
        """Order something; return the status of the answer."""
        try:
            data = urllib.parse.urlencode({"customer": "alice", **form}).encode()
            with urllib.request.urlopen(self._root + "/orders/", data=data, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
