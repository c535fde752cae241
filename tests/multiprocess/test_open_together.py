"""Processes that open one missing file at the same moment.

The switch to WAL needs exclusive access and does not wait for it, and the first process makes the tables. So without
help from the package all but one would fail.
"""

from ..support.locking import ask
from ..support.processes import several

PROCESSES, ROUNDS = 16, 12

OPENER = """
import sys
import honker
print("ready", flush=True)
for line in sys.stdin:
    try:
        with honker.open(line.strip()) as db:
            db.queue("q").enqueue(1)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
    else:
        print("opened", flush=True)
"""


def schema(path):
    return ask(path, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")


def test_processes_that_open_one_new_file_together_all_succeed_and_make_one_schema(tmp_path):
    with several(PROCESSES, OPENER) as children:
        for child in children:
            child.expect("ready")
        for number in range(ROUNDS):
            path = tmp_path / f"{number}.db"
            for child in children:
                child.say(path)
            for child in children:
                child.expect("opened")
            assert schema(path) == schema(tmp_path / "0.db")
            assert ask(path, "SELECT count(*) FROM _honker_live") == [(PROCESSES,)]
            assert ask(path, "SELECT count(*) FROM _honker_meta WHERE key = 'schema_version'") == [(1,)]
            assert ask(path, "PRAGMA integrity_check") == [("ok",)]
