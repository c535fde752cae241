"""Each example of reference.yaml, on a connection that the binding has opened."""

import json
import re
import sqlite3
from contextlib import closing

import pytest

from tests.sql.clock import advance
from tests.sql.contract import INSTANT, examples

EXAMPLES = [pytest.param(steps, id=f"{name}-{number}") for name, number, steps in examples()]


@pytest.mark.parametrize("steps", EXAMPLES)
def test_an_example_gives_in_every_language_what_it_says(agent, tmp_path, steps):
    path = tmp_path / "app.db"
    agent.call("open", store_as="example", path=str(path))
    try:
        for step in steps:
            run(agent, path, step)
    finally:
        agent.call("close", on="example")


def run(agent, path, step):
    if "later" in step:
        with closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as conn:
            advance(conn, step["later"])
        return
    answer = agent.send("sql", on="example", sql=step["sql"])
    if "fails" in step:
        with pytest.raises(Exception, match=re.escape(step["fails"])):
            answer.value()
        return
    cell = answer.value()
    value = None if cell is None else cell["value"]
    if "gives" in step:
        assert value == step["gives"], step["sql"]
    if "json" in step:
        assert matches(json.loads(value), step["json"]), f"{step['sql']} gave {value}"


def matches(seen, expected):
    """True if the parsed JSON is as the example says. A language may read 1 as 1.0."""
    if expected == INSTANT:
        return isinstance(seen, int | float)
    if isinstance(expected, dict):
        return (
            isinstance(seen, dict)
            and seen.keys() == expected.keys()
            and all(matches(seen[key], each) for key, each in expected.items())
        )
    if isinstance(expected, list):
        return isinstance(seen, list) and len(seen) == len(expected) and all(map(matches, seen, expected))
    return seen == expected
