"""The examples of the reference on PostgreSQL: the same names, arguments, results and error codes."""

import json
import re

import psycopg
import pytest

from ..sql.contract import code_of, examples, functions, matches, selected_function
from .dialect import translate, value_at

# Examples of what belongs to SQLite: its types, its files and the names of its tables.
ONLY_SQLITE = re.compile(r", 1\.0\)|PRAGMA|CREATE TRIGGER|typeof\(|zeroblob|x'|char\(0\)|sqlite_")


def runs_here(name, steps):
    statements = [step.get("sql", "") for step in steps]
    return "postgres" in functions()[name]["engines"] and not any(map(ONLY_SQLITE.search, statements))


EXAMPLES = [pytest.param(steps, id=f"{name}-{number}") for name, number, steps in examples() if runs_here(name, steps)]


@pytest.mark.parametrize("steps", EXAMPLES)
def test_the_example_does_as_it_says(conn, steps):
    for step in steps:
        run_step(conn, step)


def run_step(conn, step):
    if "later" in step:
        now = conn.execute("SELECT honker._now()").fetchone()[0]
        conn.execute(f"SET honker.clock_ms = {now + int(step['later'] * 1000)}")
        return
    row, problem = outcome(conn, step["sql"])
    assert problem == step.get("fails"), f"{step['sql']} failed with {problem}, and not with {step.get('fails')}"
    if problem is not None:
        return
    if "gives" in step:
        assert row[0] == step["gives"], step["sql"]
        assert isinstance(row[0], str) == isinstance(step["gives"], str), step["sql"]
    if "json" in step:
        assert matches(json.loads(row[0]), step["json"]), f"{step['sql']} gave {row[0]}, and not {step['json']}"
    if selected_function(step["sql"]):
        assert not isinstance(row[0], bool), step["sql"]


def outcome(conn, sql):
    """The first row and None, or None and the code of the error."""
    sql, path = translate(sql)
    try:
        cursor = conn.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return (row and [value_at(row[0], path)] if path else row), None
    except psycopg.errors.UndefinedFunction as error:
        # A function takes arguments of its types: PostgreSQL itself refuses others.
        return None, "HONKER_INVALID_ARGUMENT" if "honker_" in str(error) and is_defined(conn, sql) else str(error)
    except psycopg.Error as error:
        return None, code_of(error.diag.message_primary)


def is_defined(conn, sql):
    name = re.search(r"(\w+)\(", sql)[1]
    return conn.execute("SELECT count(*) FROM pg_proc WHERE proname = %s", (name,)).fetchone()[0] > 0
