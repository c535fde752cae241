"""`honker migrate`."""

import json
import sqlite3
from contextlib import closing

import honker as package
import pytest
from honker.cli import main
from honker.cli.schema import newest_version

from ..support.program import honker

# The tables of the public honker that hold jobs, in its first form.
OLD_TABLES = """
CREATE TABLE _honker_live (
  id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, payload TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending', priority INTEGER NOT NULL DEFAULT 0,
  run_at INTEGER NOT NULL DEFAULT (unixepoch()), worker_id TEXT, claim_expires_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0, max_attempts INTEGER NOT NULL DEFAULT 3,
  created_at INTEGER NOT NULL DEFAULT (unixepoch()), expires_at INTEGER);
INSERT INTO _honker_live (queue, payload) VALUES ('q', '"kept"');
"""


@pytest.fixture
def old(path):
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(OLD_TABLES)
    return path


def run(capsys, *arguments):
    code = main.run(["migrate", *map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_dry_run_prints_the_changes_and_makes_none(old, capsys):
    before = old.read_bytes()
    code, [*changes, summary] = run(capsys, old, "--dry-run")
    assert (code, summary) == (
        0,
        {"from": 0, "to": newest_version(), "changes": len(changes), "is_dry_run": True},
    )
    assert {"change": "change", "type": "table", "name": "_honker_live"} in changes
    assert {"change": "add", "type": "table", "name": "_honker_dead"} in changes
    assert old.read_bytes() == before


def test_an_old_file_is_upgraded_and_keeps_its_jobs(old, capsys):
    promised = run(capsys, old, "--dry-run")[1][:-1]
    code, [*changes, summary] = run(capsys, old)
    assert (code, changes, summary["is_dry_run"]) == (0, promised, False)
    with package.open(old) as db:
        assert db.queue("q").claim_one("w").payload == "kept"
    assert run(capsys, old) == (
        0,
        [{"from": newest_version(), "to": newest_version(), "changes": 0, "is_dry_run": False}],
    )


def test_people_see_the_versions_and_the_changes(old):
    done = honker("migrate", old, "--dry-run")
    assert "+ table _honker_dead\n" in done.stdout
    assert f"schema version 0 -> {newest_version()}; " in done.stdout
    honker("migrate", old)
    assert honker("migrate", old).stdout == f"schema version {newest_version()}; up to date\n"


def test_a_missing_index_is_made_again(db, path, capsys):
    with db.transaction() as tx:
        tx.execute("DROP INDEX _honker_index_finished_age")
    _, [change, _] = run(capsys, path)
    assert change == {"change": "add", "type": "index", "name": "_honker_index_finished_age"}


def test_a_newer_file_is_refused(db, path):
    with db.transaction() as tx:
        tx.execute("UPDATE _honker_meta SET value = 9999 WHERE key = 'schema_version'")
    done = honker("migrate", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "schema version 9999, this honker knows" in done.stderr
