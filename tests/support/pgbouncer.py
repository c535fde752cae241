"""PgBouncer in front of a test server, if it is installed."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from .waiting import wait_until

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")

SETTINGS = """
[databases]
* = host={server}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {size}
logfile = {folder}/pgbouncer.log
pidfile =
"""


class PgBouncer:
    """One pooler on a Unix socket of its own."""

    def __init__(self, server, mode="transaction", size=3):
        self.folder = Path(tempfile.mkdtemp(prefix="honker-pgb-"))
        (self.folder / "users").write_text('"honker" ""\n')
        settings = self.folder / "pgbouncer.ini"
        settings.write_text(SETTINGS.format(server=server.folder, folder=self.folder, mode=mode, size=size))
        owner = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (self.folder, *self.folder.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
            owner = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [user.pw_gid]}
        self._process = subprocess.Popen([PROGRAM, "-q", settings], cwd="/", **owner)
        try:
            wait_until(self._answers)
        except BaseException:
            self.stop()
            raise

    def url(self, database, user="honker"):
        return f"postgresql://{user}@/{database}?host={self.folder}&port=6432"

    def stop(self):
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self):
        assert self._process.poll() is None, (self.folder / "pgbouncer.log").read_text()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
