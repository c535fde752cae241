"""Real applications, served as their users serve them: a project in a directory, its processes, its clients."""

import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

from ..support.waiting import wait_until

HERE = Path(__file__).parent

#: Seconds in which a process has to be ready, and in which it has to stop.
START_S = 30
GRACE_S = 8


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A process of a project, in a group of its own, with its output in a file."""

    def __init__(self, project, name, command):
        self.name = name
        self.log = project / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=project,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )

    @property
    def output(self):
        return self.log.read_text("utf-8", errors="replace")

    def wait_for_output(self, text):
        def has_it():
            assert self.process.poll() is None, f"{self.name} has ended: {self.output}"
            return text in self.output

        wait_until(has_it, START_S, every_s=0.05)

    def stop(self):
        """Send SIGTERM, and check that it stops by itself and in time. Returns the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not stop in {GRACE_S} s: {self.output}") from None
        assert code in {0, -signal.SIGTERM}, f"{self.name} ended with {code}: {self.output}"
        assert "Traceback" not in self.output, self.output
        return time.monotonic() - began

    def kill(self):
        """Kill it and its children, if they still run."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()


class Project:
    """A copy of an application, and its processes."""

    def __init__(self, source, directory):
        self.directory = directory
        shutil.copytree(HERE / source, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.port = free_port()
        self.processes = []
        # Processes that create tables at once disturb each other, so tables are created before anything else.
        subprocess.run([sys.executable, "shop.py"], cwd=directory, timeout=START_S, check=True)

    def start(self, name, *command):
        process = Process(
            self.directory, f"{name}-{len(self.processes)}", [part.replace("PORT", str(self.port)) for part in command]
        )
        self.processes.append(process)
        return process

    def start_worker(self):
        worker = self.start("worker", "honker", "worker", "shop:app", "--concurrency", "2", "--grace", "3")
        worker.wait_for_output("honker worker: pid=")
        return worker

    def start_server(self, *command):
        server = self.start("server", *command)

        def is_up():
            assert server.process.poll() is None, f"the server has ended: {server.output}"
            try:
                return self.get("/orders/count") is not None
            except OSError:
                return False

        wait_until(is_up, START_S, every_s=0.05)
        return server

    def get(self, path):
        return self._request("GET", path)[1]

    def order(self, item):
        """Order an item; returns the status and the answer."""
        return self._request("POST", f"/orders?item={item}")

    def _request(self, method, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            text = response.read().decode()
            return response.status, json.loads(text) if response.status < 300 else text
        finally:
            connection.close()

    def rows(self, sql):
        connection = sqlite3.connect(self.directory / "shop.db", timeout=20)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def close(self):
        for process in self.processes:
            process.kill()


@contextmanager
def project(source, directory):
    """A project for the length of the block; then its processes are killed."""
    opened = Project(source, directory)
    try:
        yield opened
    finally:
        opened.close()


class Browser:
    """A client of server-sent events, which connects in a thread. It remembers the last id, as `EventSource` does."""

    def __init__(self, port):
        self._port = port
        self.events = []
        self.last_id = None
        self._thread = None
        self._error = None

    def connect(self):
        self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        self._connection.request("GET", "/events", headers=headers)
        response = self._connection.getresponse()
        assert response.status == 200
        assert response.getheader("content-type").startswith("text/event-stream")
        self._thread = threading.Thread(target=self._read, args=[response], daemon=True)
        self._thread.start()

    @property
    def is_connected(self):
        return self._thread.is_alive()

    def wait_for_end(self):
        """Wait until the server has ended the response; check that it ended as HTTP says."""
        self._thread.join(GRACE_S)
        assert not self._thread.is_alive(), "the response did not end"
        self._connection.close()
        if self._error is not None:
            raise self._error

    def disconnect(self):
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(GRACE_S)
        self._connection.close()

    def _read(self, response):
        number = None
        try:
            for line in response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    number = value
                elif name == "data":
                    self.events.append(json.loads(value))
                    self.last_id = number
        except (OSError, http.client.HTTPException) as error:
            self._error = error


class Customers:
    """Threads that order until the server refuses them."""

    def __init__(self, shop, count=3):
        self._shop = shop
        self._lock = threading.Lock()
        self.accepted = []
        self.refused = 0
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._order, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _order(self):
        items = ["tea", "cake", "unicorn"]
        while not self._is_over.wait(0.02):
            items.append(items.pop(0))
            try:
                status, answer = self._shop.order(items[0])
            except (OSError, http.client.HTTPException):
                return  # the server has stopped; the order may have been stored before
            with self._lock:
                if items[0] == "unicorn":
                    assert status == 409, answer
                    self.refused += 1
                else:
                    assert status == 201, answer
                    self.accepted.append(answer)

    def stop(self):
        self._is_over.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()
