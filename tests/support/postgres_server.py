"""A PostgreSQL server in a temporary folder, on a Unix socket."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg

from .waiting import wait_until

# A test server needs no durability but that of a killed process.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum_naptime": "5s",
}


def programs():
    """The folder of the newest PostgreSQL's programs.

    Raises:
        RuntimeError: There is none.
    """
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    if shutil.which("pg_config"):
        asked = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        folders.append(Path(asked.stdout.strip()))
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError(
        "this machine has no PostgreSQL server (package postgresql in Debian): "
        "run `scripts/setup_machine.sh test`, or leave these tests out by `-k 'not postgres'`"
    )


class Server:
    """One server. It runs as the user `postgres` if this process is root, whom PostgreSQL refuses."""

    def __init__(self, **settings):
        self._programs = programs()
        self.folder = Path(tempfile.mkdtemp(prefix="honker-pg-"))
        self.data = self.folder / "data"
        self._settings = SETTINGS | settings
        self._process = None
        self._owner = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [user.pw_gid]}
        options = ["--auth=trust", "--username=honker", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run("initdb", *options, "--pgdata", self.data)
        self.start()

    def start(self):
        """Start it, and wait until it answers."""
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        command = [self._program("postgres"), "-D", self.data, "-k", self.folder, *settings]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd="/", start_new_session=True, **self._owner
            )
        wait_until(self._answers)

    def kill(self):
        """End it as `kill -9` of the postmaster and its backends would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for child in self._backends():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self):
        """Stop it and delete its folder."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="postgres", user="honker"):
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def create_database(self, name):
        """Make an empty database, and return its URL."""
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(f'CREATE DATABASE "{name}" STRATEGY wal_log')
        return self.url(name)

    def drop_database(self, name):
        with psycopg.connect(self.url(), autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _backends(self):
        pids = subprocess.run(["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=False)
        return [int(pid) for pid in pids.stdout.split()]

    def _answers(self):
        if self._process.poll() is not None:
            raise RuntimeError((self.folder / "server.log").read_text())
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _program(self, name):
        return self._programs / name

    def _run(self, name, *arguments):
        command = [self._program(name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self._owner)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr}")
