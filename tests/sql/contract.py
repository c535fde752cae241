"""Load `reference.yaml`, and run its examples."""

import functools
import json
import sqlite3

import yaml

from .clock import advance
from .loading import ROOT

REFERENCE = ROOT / "reference.yaml"
INSTANT = "<instant>"


@functools.cache
def reference():
    return yaml.safe_load(REFERENCE.read_text(encoding="utf-8"))


def functions():
    return reference()["functions"]


def error_codes():
    return reference()["errors"]


def examples():
    """Every example with the name of its function and its number there."""
    for name, function in functions().items():
        for number, steps in enumerate(function["examples"], start=1):
            yield name, number, steps


def kind_of(parameter):
    """The kind of a parameter, with the parameter's own restrictions."""
    return reference()["kinds"][parameter["kind"]] | parameter


# An ordinary value of each kind, for calls that test something else.
ORDINARY = {
    "name": "n",
    "text": "{}",
    "integer": 1,
    "flag": 0,
    "instant": 2_000_000_000,
    "span": 10,
    "positive_span": 10,
    "amount": 10,
    "tokens": 1e-6,
    "integers": "[1]",
    "claims": "[[1, 1]]",
    "settlements": '[{"id": 1, "attempt": 1, "do": "ack"}]',
    "events": '[[null, "{}"]]',
    "expression": "@every 60s",
    "time_zone": "UTC",
    "retention": "stream",
    "misfire": "skip",
    "payloads": "[{}]",
    "path": "/nowhere/app.db",
    "backend": "polling",
    "subscription": 0,  # never a valid one
}


def ordinary_arguments(name, arity=None):
    """Arguments that the function accepts, for one of its arities, by default the smallest."""
    function = functions()[name]
    parameters = function["parameters"][: function["arities"][0] if arity is None else arity]
    return [ORDINARY[parameter["kind"]] for parameter in parameters]


def code_of(error):
    return str(error).partition(":")[0]


def run_example(conn, steps):
    """Run the steps. The first one with an unexpected result raises AssertionError."""
    for step in steps:
        run_step(conn, step)


def run_step(conn, step):
    if "later" in step:
        advance(conn, step["later"])
        return
    row, problem = outcome(conn, step["sql"])
    assert problem == step.get("fails"), f"{step['sql']} failed with {problem}, and not with {step.get('fails')}"
    if "gives" in step:
        seen = (type(row[0]), row[0])
        assert seen == (type(step["gives"]), step["gives"]), step["sql"]
    if "json" in step:
        assert matches(json.loads(row[0]), step["json"]), f"{step['sql']} gave {row[0]}, and not {step['json']}"


def outcome(conn, sql):
    """The first row and None, or None and the code of the error."""
    try:
        return conn.execute(sql).fetchone(), None
    except sqlite3.Error as error:
        return None, code_of(error)


def matches(seen, expected):
    """True if two JSON values are equal, where the text `<instant>` stands for any point in time."""
    if expected == INSTANT:
        return isinstance(seen, int | float) and not isinstance(seen, bool)
    if isinstance(expected, dict):
        same_keys = isinstance(seen, dict) and seen.keys() == expected.keys()
        return same_keys and all(matches(seen[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        same_length = isinstance(seen, list) and len(seen) == len(expected)
        return same_length and all(map(matches, seen, expected))
    return type(seen) is type(expected) and seen == expected
