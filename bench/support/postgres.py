"""Databases of a PostgreSQL server in a temporary folder, and the sides that are measured on it."""

import contextlib
import sys
from pathlib import Path

import psycopg
from tqdm import tqdm

from . import peers
from .checks import SideError
from .sides import OURS, Side

sys.path.append(str(Path(__file__).parents[2]))  # for the tests' server

from honker.postgres.install import install

from tests.support.postgres_server import Server

#: Plain statements through honker's own driver.
PLAIN = "plain statements"
PROCRASTINATE, PGQUEUER = "procrastinate", "pgqueuer"
COMMANDS = {
    OURS: [sys.executable, str(peers.DRIVERS / "postgres_driver.py")],
    PLAIN: [sys.executable, str(peers.DRIVERS / "insert_driver.py")],
}
# As durable as a server is by default. Autovacuum looks as often as on a busy server that was tuned for queues.
SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "autovacuum_naptime": "15s",
}


class Databases:
    """New databases of one server, each with honker installed and a setting of its own for commits."""

    def __init__(self, server):
        self._server = server
        self._count = 0

    @contextlib.contextmanager
    def new(self, *, waits_for_disk=False):
        """The URL of a new database."""
        self._count += 1
        name = f"bench_{self._count}"
        url = self._server.create_database(name)
        try:
            with psycopg.connect(url, autocommit=True) as conn:
                install(conn)
                if not waits_for_disk:
                    conn.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
            yield url
        finally:
            self._server.drop_database(name)


@contextlib.contextmanager
def start_server():
    server = Server(**SETTINGS)
    try:
        yield Databases(server)
    finally:
        server.stop()


@contextlib.contextmanager
def start(run, databases, *names):
    """Start the sides that are available, and report the others to the run; all of them by default."""
    commands = dict(COMMANDS)
    if run.with_peers:
        ready, missing = peers.commands_of(peers.POSTGRES_PEERS)
        commands.update(ready)
        for name, reason in missing.items():
            if not names or name in names:
                run.leave_out(name, reason)
    with contextlib.ExitStack() as stack:
        sides = {}
        for name, command in commands.items():
            if not names or name in names:
                side = Side(name, command)
                stack.callback(side.kill)
                _probe(run, databases, side, sides)
        yield sides


def _probe(run, databases, side, sides):
    with databases.new() as url:
        try:
            side.open(path=url)
            run.sides[side.name] = side.describe()
            side.close()
        except SideError as error:
            if side.name in COMMANDS:
                raise
            run.leave_out(side.name, str(error))
        else:
            sides[side.name] = side
    tqdm.write(f"{side.name}: {run.sides.get(side.name, {}).get('version', 'left out')}")
