"""The query plan of each statement of the engine: every change of a plan is reviewed.

The plans of all statement files are kept in `plans.txt` next to this file. After an intended change, write it again:

    HONKER_UPDATE_PLANS=1 python -m pytest tests/sql/test_plans.py
"""

import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from .database import rows
from .loading import ROOT

SOURCES = ROOT / "crates" / "honker-domain" / "src"
STATEMENTS = {
    f"{file.parent.name}/{file.name}": file.read_text(encoding="utf-8")
    for file in sorted(SOURCES.glob("**/*.sql"))
    if file.parent.name != "schema"  # migrations, many statements each
}
SNAPSHOT = Path(__file__).with_name("plans.txt")

# Statements that run for every job or wait only for an index; they must stay flat for any contents of the tables.
FLAT = [
    name
    for name in STATEMENTS
    if name.split("/")[0] in {"queue", "lock", "result", "stream", "notify"}
    and name != "notify/prune_all.sql"
    and not name.startswith("queue/violations_")
]
# The only statements that may read a whole table: one row per schedule, one row per rate-limit window in use, and
# requested maintenance.
FULL_SCANS = {
    "malformed/rows.sql",
    "notify/prune_all.sql",
    "queue/violations_edges.sql",
    "queue/violations_keys.sql",
    "queue/violations_outcomes.sql",
    "queue/violations_waiting.sql",
    "rate_limit/sweep.sql",
    "schedule/due.sql",
    "schedule/soonest.sql",
}


def plan(conn, sql):
    """The query plan, indented as SQLite nests it."""
    depth = {0: 0}
    lines = []
    for node, parent, _, detail in rows(conn, f"EXPLAIN QUERY PLAN {sql}", *[None] * parameters(sql)):
        depth[node] = depth[parent] + 1
        lines.append("  " * depth[node] + detail)
    return lines


def parameters(sql):
    return max(map(int, re.findall(r"\?(\d+)", sql)), default=0)


SQLITE = "SQLite {}.{}".format(*sqlite3.sqlite_version_info)


def snapshot(plans):
    """The wording changes with SQLite's release, so the release comes first."""
    return f"{SQLITE}\n" + "".join("\n".join([f"\n{name}", *lines, ""]) for name, lines in plans.items())


@pytest.fixture
def plans(conn):
    return {name: plan(conn, sql) for name, sql in STATEMENTS.items()}


def test_there_are_statements():
    assert len(STATEMENTS) > 40


def test_the_plans_are_those_of_the_snapshot(plans):
    if os.environ.get("HONKER_UPDATE_PLANS"):
        SNAPSHOT.write_text(snapshot(plans), encoding="utf-8")
    expected = SNAPSHOT.read_text(encoding="utf-8")
    if not expected.startswith(f"{SQLITE}\n"):
        pytest.skip(f"the snapshot is of {expected.splitlines()[0]}, and this is {SQLITE}")
    assert snapshot(plans) == expected


def full_scans(lines):
    """Lines that scan a whole table or index of honker."""
    return [line for line in lines if re.search(r"SCAN _honker", line)]


def sorts(lines):
    return [line for line in lines if "TEMP B-TREE" in line]


# For SQLite, reading the head of an index and stopping is a scan. So is reading the oldest few notifications.
BOUNDED_SCANS = {
    "retention/list.sql",
    "token_bucket/prune.sql",
    "result/prune.sql",
    "rate_limit/prune.sql",
    "notify/prune.sql",
    "stream/bounds.sql",
}


@pytest.mark.parametrize("name", FLAT)
def test_a_statement_of_the_hot_path_neither_scans_nor_sorts(plans, name):
    if name not in BOUNDED_SCANS:
        assert full_scans(plans[name]) == []
    assert sorts(plans[name]) == []


@pytest.mark.parametrize(
    "name",
    sorted(set(STATEMENTS) - {*FLAT, *FULL_SCANS, *BOUNDED_SCANS, "schedule/list.sql", "schedule/expressions.sql"}),
)
def test_every_other_statement_neither_scans_nor_sorts(plans, name):
    assert full_scans(plans[name]) == []
    assert sorts(plans[name]) == []


@pytest.mark.parametrize("name", [name for name, sql in STATEMENTS.items() if "INDEXED BY" in sql])
def test_a_statement_that_names_its_index_seeks_in_it(plans, name):
    index = re.search(r"INDEXED BY (\w+)", STATEMENTS[name])[1]
    assert any(f"INDEX {index} (" in line for line in plans[name])


def test_the_plans_of_an_upgraded_file_are_those_of_a_fresh_one(plans, connect, tmp_path):
    """Such a file has two more indexes, and SQLite could prefer them."""
    copy = shutil.copy(ROOT / "tests" / "fixtures" / "reference-0.5.1.db", tmp_path / "other.db")
    upgraded = connect(copy)
    upgraded.execute("SELECT honker_bootstrap()").fetchone()
    assert {name: plan(upgraded, sql) for name, sql in STATEMENTS.items()} == plans


def test_the_plans_do_not_depend_on_statistics(plans, conn):
    """After ANALYZE, SQLite has statistics of the rows, and could choose another plan."""
    conn.execute("""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO _honker_live (queue, payload, priority, state, claim_expires_at, expires_at)
        SELECT 'q', '{}', i % 3, iif(i % 2, 'pending', 'processing'), iif(i % 2, NULL, i), iif(i % 5, NULL, i) FROM n
    """)
    conn.execute("ANALYZE")
    skewed = {name: plan(conn, sql) for name, sql in STATEMENTS.items() if name.startswith("queue/")}
    assert skewed == {name: lines for name, lines in plans.items() if name.startswith("queue/")}


def test_a_plan_that_scans_is_found_out(conn):
    assert full_scans(plan(conn, "SELECT * FROM _honker_live WHERE payload = ?1"))
    assert sorts(plan(conn, "SELECT id FROM _honker_live ORDER BY payload"))


# ------------------------------------------------------------------------------------------------------------ the files


@pytest.mark.parametrize("name", list(STATEMENTS))
def test_a_statement_file_begins_with_what_a_reader_needs(name):
    """Purpose, each parameter, the source of the rows, and the lock."""
    sql = STATEMENTS[name]
    header = re.match(r"(?:--.*\n)+", sql)
    assert header, "no comment at the top"
    comment = header[0]
    assert re.match(r"-- [A-Z]", comment), "no purpose"
    for number in range(1, parameters(sql) + 1):
        assert f"?{number} " in comment, f"?{number} is not explained"
    assert re.search(r"Lock: (read|write)\.", comment)
    assert re.search(r"^-- (Index|Reads the whole table)", comment, re.MULTILINE)
    writes = re.search(r"^(INSERT|UPDATE|DELETE)", sql, re.MULTILINE) is not None
    assert ("Lock: write." in comment) == writes
    if re.search(r"^(SELECT|RETURNING)", sql, re.MULTILINE) and not writes:
        assert "Returns" in comment or "one row if so" in comment


@pytest.mark.parametrize("name", list(STATEMENTS))
def test_a_statement_file_holds_one_statement(conn, name):
    body = re.sub(r"--.*", "", STATEMENTS[name])
    assert ";" not in body.strip().rstrip(";")
    conn.execute(f"EXPLAIN {STATEMENTS[name]}", [None] * parameters(STATEMENTS[name]))


@pytest.mark.parametrize("name", list(STATEMENTS))
def test_an_index_that_a_comment_names_exists(conn, name):
    known = {index for (index,) in rows(conn, "SELECT name FROM sqlite_master WHERE name LIKE '%honker%'")}
    comment = "\n".join(line for line in STATEMENTS[name].splitlines() if line.startswith("--"))
    assert set(re.findall(r"_honker_\w+", comment)) <= known
