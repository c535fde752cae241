"""Processes that open one missing file, or one empty PostgreSQL database, at the same moment.

The switch to WAL needs exclusive access and does not wait for it, and the first process makes the tables. So without
help from the package all but one would fail.
"""

import pytest

from ..support.locking import ask, is_sound
from ..support.processes import several

PROCESSES = 16
# To install takes a second on PostgreSQL, and is one transaction under a lock.
ROUNDS = {"sqlite": 12, "postgres": 2}

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


SCHEMA = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY type, name",
    "postgres": """
        SELECT 'function', p.oid::regprocedure::text, md5(p.prosrc) FROM pg_proc AS p
        WHERE p.pronamespace = 'honker'::regnamespace
        UNION ALL
        SELECT c.relkind::text, c.relname::text, '' FROM pg_class AS c WHERE c.relnamespace = 'honker'::regnamespace
        ORDER BY 1, 2""",
}
# A count of jobs, and of notes of the version of the tables.
COUNTS = {
    "sqlite": (
        "SELECT count(*) FROM _honker_live",
        "SELECT count(*) FROM _honker_meta WHERE key = 'schema_version'",
    ),
    "postgres": (
        "SELECT count(*) FROM honker.live",
        "SELECT count(*) FROM honker.installation WHERE part = 'tables'",
    ),
}


@pytest.fixture
def make(engine, request, tmp_path):
    """Find a place for a new database: a path, or the URL of an empty database."""
    if engine == "sqlite":
        return lambda number: tmp_path / f"{number}.db"
    server = request.getfixturevalue("server")
    return lambda number: server.create_database(f"opened_together_{number}")


def test_processes_that_open_one_new_database_together_all_succeed_and_make_one_schema(engine, make):
    schemas, (jobs, notes) = [], COUNTS[engine]
    with several(PROCESSES, OPENER) as children:
        for child in children:
            child.expect("ready")
        for number in range(ROUNDS[engine]):
            place = make(number)
            for child in children:
                child.say(place)
            for child in children:
                child.expect("opened")
            schemas.append(ask(place, SCHEMA[engine]))
            assert schemas[-1] == schemas[0]
            assert ask(place, jobs) == [(PROCESSES,)]
            assert ask(place, notes) == [(1,)]
            assert is_sound(place)
