"""A PostgreSQL server for one user of this machine, in a folder, on a Unix socket only."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
from contextlib import closing
from pathlib import Path
from typing import Final

from honker.cli.trial.programs import NoServerError, Owner, Programs, find_programs
from honker.errors import ConnectionLostError
from honker.postgres.driver import connect

_USER: Final = "honker"
_START_S: Final = 60.0
_STOP_S: Final = 30.0
#: The socket's address holds about 100 bytes on every system.
_SOCKET_MAX: Final = 90


class TrialServer:
    """A server that runs from `start` to `close`.

    Args:
        folder: The folder of its data, which stays; None makes one in the temporary folder and removes it at the end.

    Raises:
        NoServerError: There is no server program, or PostgreSQL refuses this user.
    """

    def __init__(self, folder: str | None) -> None:
        self._owner = _owner()
        self.programs: Programs = find_programs(self._owner)
        self.is_temporary = folder is None
        self.folder = Path(folder or tempfile.mkdtemp(prefix="honker-try-")).absolute()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._data = self.folder / "data"
        # A folder of its own if the path is too long for the address of a socket.
        self._has_own_socket_folder = len(os.fsencode(self.folder)) > _SOCKET_MAX
        self._sockets = Path(tempfile.mkdtemp(prefix="honker-s-")) if self._has_own_socket_folder else self.folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The file with the messages of the server."""
        return self.folder / "server.log"

    def url(self, database: str = _USER) -> str:
        """The URL of a database."""
        host = urllib.parse.quote(str(self._sockets), safe="/")
        return f"postgresql://{_USER}@/{database}?host={host}"

    def start(self) -> None:
        """Make the data if there is none, start the server, and wait until it answers.

        Raises:
            NoServerError: It does not start.
        """
        for folder in {self.folder, self._sockets}:
            if self._owner.user is not None and self._owner.group is not None:
                os.chown(folder, self._owner.user, self._owner.group)
        if not (self._data / "PG_VERSION").exists():
            self._init()
        settings = ["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"]
        command = [self.programs.folder / "postgres", "-D", self._data, "-k", self._sockets, *settings]
        with self.log.open("ab") as log:
            # In a session of its own: Ctrl-C of the terminal ends the workers first, and then this.
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                user=self._owner.user,
                group=self._owner.group,
                extra_groups=self._owner.groups,
            )
        self._wait_for_answer(self._process)
        self._create_database()

    def _init(self) -> None:
        options = ["--auth=trust", f"--username={_USER}", "--encoding=UTF8", "--locale=C", "--pgdata", self._data]
        done = subprocess.run(
            [self.programs.folder / "initdb", *options],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            user=self._owner.user,
            group=self._owner.group,
            extra_groups=self._owner.groups,
        )
        if done.returncode:
            raise NoServerError(f"initdb of {self.programs.folder} failed: {done.stderr.strip()}")

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                connect(self.url("postgres")).close()
                return
            except ConnectionLostError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise NoServerError(f"the server does not start: {self._last_words() or error}") from error
            time.sleep(0.02)

    def _last_words(self) -> str:
        lines = self.log.read_text("utf-8", "replace").splitlines()
        return "; ".join(line for line in lines[-3:] if line.strip())

    def _create_database(self) -> None:
        with closing(connect(self.url("postgres"))) as conn:
            if conn.execute("SELECT FROM pg_database WHERE datname = 'honker'").fetchone() is None:
                conn.execute("CREATE DATABASE honker")

    def close(self) -> None:
        """Stop the server, and remove a temporary folder. Idempotent."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            # The fast shutdown ends open sessions; the immediate one is for a server that does not end.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_STOP_S)
                    break
        if self._has_own_socket_folder:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self.is_temporary:
            shutil.rmtree(self.folder, ignore_errors=True)


def _owner() -> Owner:
    """The user of the server: this one, or `postgres` for the superuser, whom PostgreSQL refuses.

    Raises:
        NoServerError: This is the superuser, and there is no user `postgres`.
    """
    if os.geteuid() != 0:
        return Owner()
    try:
        user = pwd.getpwnam("postgres")
    except KeyError as error:
        raise NoServerError(
            "PostgreSQL does not run as the superuser, and there is no user `postgres` here; run the command as an "
            "ordinary user"
        ) from error
    return Owner(user.pw_uid, user.pw_gid)
