"""One SQLite in the process.

Two copies of SQLite on one file in one process drop each other's POSIX locks and lose acknowledged commits
(https://sqlite.org/howtocorrupt.html, "Multiple copies of SQLite linked into the same application"). So the engine must
run inside the copy used by `sqlite3` and everything built on it.
"""

import shutil
import subprocess
import sys

import honker
import pytest

from ..support.processes import run

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and ELF files"),
    pytest.mark.sqlite_only("copies of SQLite in the process"),
]

LIBRARY, _ = honker.extension_info()

MAPPED = """
import sqlite3, sys
import sqlalchemy
import honker

path = sys.argv[1]
with honker.open(path) as db:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}")
    with engine.connect() as conn:
        conn.execute(sqlalchemy.text("SELECT count(*) FROM _honker_live"))
    plain = sqlite3.connect(path)
    db.queue("q").enqueue(1)
    next(db.queue("q").claim("w")).ack()
    with open("/proc/self/maps") as maps:
        files = {line.split(maxsplit=5)[5].strip() for line in maps if len(line.split(maxsplit=5)) == 6}
    print(*sorted(file for file in files if "sqlite3" in file.rpartition("/")[2] and "_sqlite3" not in file), sep="\\n")
    print(*sorted(file for file in files if "honker" in file.rpartition("/")[2] and ".so" in file), sep="\\n")
    plain.close()
    engine.dispose()
"""


def symbols(*options):
    tool = shutil.which("nm")
    if tool is None:
        pytest.skip("this machine has no nm")
    output = subprocess.run([tool, "-D", *options, LIBRARY], capture_output=True, text=True, check=True, timeout=30)
    return {line.split()[-1].partition("@")[0] for line in output.stdout.splitlines()}


def test_one_library_of_sqlite_is_mapped_and_the_engine_beside_it(path):
    lines = run(MAPPED, path)
    assert len([line for line in lines if "libsqlite3" in line]) == 1
    assert LIBRARY in lines


def test_the_engine_defines_nothing_of_sqlite():
    defined = symbols("--defined-only")
    entry_points = {honker.EXTENSION_ENTRYPOINT, "sqlite3_honkerauto_init", "sqlite3_honkertesting_init"}
    assert {name for name in defined if name.startswith("sqlite3_")} == entry_points


def test_the_engine_links_nothing_of_sqlite():
    assert [name for name in symbols("--undefined-only") if name.startswith("sqlite3")] == []


def test_the_engine_does_not_ask_for_a_library_of_sqlite_or_python():
    tool = shutil.which("readelf")
    if tool is None:
        pytest.skip("this machine has no readelf")
    output = subprocess.run([tool, "-d", LIBRARY], capture_output=True, text=True, check=True, timeout=30)
    needed = [line for line in output.stdout.splitlines() if "(NEEDED)" in line]
    assert needed
    assert not [line for line in needed if "sqlite" in line or "python" in line]
