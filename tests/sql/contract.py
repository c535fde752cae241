"""Load `reference.yaml`, and run its examples."""

import functools
import json
import re
import sqlite3

import yaml

from .clock import advance
from .contract_types import Types
from .loading import ROOT

REFERENCE = ROOT / "reference.yaml"
INSTANT = "<instant>"


class OnceLoader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping, of which YAML keeps the last and drops the others."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{sorted(twice)} stand twice in the mapping that begins at line {node.start_mark.line + 1}"
        return super().construct_mapping(node, deep)


@functools.cache
def reference():
    return yaml.load(REFERENCE.read_text(encoding="utf-8"), OnceLoader)


def functions():
    return reference()["functions"]


def error_codes():
    return reference()["errors"]


def signatures():
    """Every form of every function: its name, its parameters, and the numbers of arguments it is called with."""
    for name, function in functions().items():
        yield name, function["parameters"], function["arities"]
        for parameters in function.get("overloads", []):
            yield name, parameters, [len(parameters)]


def declared_errors(name):
    """The codes with which a function may fail, its error sets resolved."""
    sets = reference()["error_sets"]
    return {code for each in functions()[name]["errors"] for code in sets.get(each, [each])}


def examples():
    """Every example with the name of its function and its number there."""
    for name, function in functions().items():
        for number, steps in enumerate(function["examples"], start=1):
            yield name, number, steps


@functools.cache
def types():
    return Types(reference()["types"])


# An ordinary value of each type, for calls that are about something else.
ORDINARY = {
    "name": "n",
    "text": "{}",
    "payload": "{}",
    "integer": 1,
    "count": 1,
    "boolean": 0,
    "job_id": 1,
    "offset": 1,
    "limit": 1,
    "batch_size": 1,
    "count_limit": 1,
    "priority": 1,
    "attempts": 1,
    "max_keep": 1,
    "instant": 2_000_000_000,
    "span": 10,
    "positive_span": 10,
    "age": 10,
    "lease": 10,
    "expiry": 10,
    "tokens": 10,
    "amount": 1,
    "positive_amount": 1,
    "note": "a note",
    "future_instant": 4_000_000_000,
    "array<job_id>": "[1]",
    "array<integer or null>": "[1]",
    "array<claim>": "[[1, 1]]",
    "job_options": '{"priority": 1, "delay": 2.5}',
    "unique_options": '{"unique_key": "k"}',
    "jobs_cursor": 1_000_000,
    "jobs_verb": "cancel",
    "job_filter": '{"queue": "n"}',
    "flow_options": '{"key": "k"}',
    "queue_settings": '{"concurrency": 3}',
    "worker_report": '{"name": "w1", "started_at": 5, "host": "h", "pid": 7, "version": "1", "slots": 2, "busy": 0, '
    '"queues": ["q"], "worker_ids": ["w"], "running": []}',
    "file_settings_change": '{"counters": true}',
    "task_name": "mail",
    "array<settlement>": '[{"id": 1, "attempt": 1, "do": "ack"}]',
    "array<new_event>": '[[null, "{}"]]',
    "array<any>": "[{}]",
    "expression": "@every 60s",
    "time_zone": "UTC",
    "retention_kind": "stream",
    "misfire": "skip",
    "overlap": "skip",
    "when_paused": "skip",
    "path": "/nowhere/app.db",
    "watcher_backend": "polling",
    "descriptor_kind": "pipe",
    "watcher_id": 0,  # never one
}


def ordinary_arguments(name, arity=None):
    """Arguments that the function accepts, for one of its arities, by default the smallest."""
    function = functions()[name]
    parameters = function["parameters"][: function["arities"][0] if arity is None else arity]
    return [ordinary(parameter) for parameter in parameters]


def ordinary(parameter):
    if isinstance(parameter.get("max"), str):  # another argument
        return 1e-6
    return ORDINARY[parameter["type"]]


def as_argument(value, parameter):
    """A value as the reference writes it, for instance a default, as the argument that SQL takes."""
    if value is None:
        return None
    if types().base_of(parameter["type"]) == "boolean":
        return int(value)
    return json.dumps(value) if types().is_json(parameter["type"]) else value


def code_of(error):
    return str(error).partition(":")[0]


def run_example(conn, steps):
    """Run the steps and return the results of functions that they select, as (function, result).

    The first step that does not do as it says raises AssertionError.
    """
    return [result for step in steps if (result := run_step(conn, step))]


def run_step(conn, step):
    if "later" in step:
        advance(conn, step["later"])
        return None
    row, problem = outcome(conn, step["sql"])
    assert problem == step.get("fails"), f"{step['sql']} failed with {problem}, and not with {step.get('fails')}"
    name = selected_function(step["sql"])
    if problem is not None:
        assert name is None or problem in declared_errors(name), f"{step['sql']} failed with the undeclared {problem}"
        return None
    check_row(row, step)
    if name is None:
        return None
    mismatches = list(types().mismatches_of_result(row[0], functions()[name]["result"]))
    assert not mismatches, f"{step['sql']} gave {row[0]!r}: {mismatches}"
    return name, row[0]


def check_row(row, step):
    if "gives" in step:
        seen = (type(row[0]), row[0])
        assert seen == (type(step["gives"]), step["gives"]), step["sql"]
    if "json" in step:
        assert matches(json.loads(row[0]), step["json"]), f"{step['sql']} gave {row[0]}, and not {step['json']}"


def selected_function(sql):
    """The function that the statement selects by itself, or None for any other statement."""
    match = re.match(r"\s*SELECT (\w+)\(", sql)
    if match is None or match[1] not in functions():
        return None
    rest = sql[closing_parenthesis(sql, match.end()) + 1 :].strip()
    return match[1] if rest in {"", "FROM watch"} else None


def closing_parenthesis(sql, position):
    """Where the parenthesis ends that was opened before the position; quoted text is skipped."""
    depth, is_quoted = 1, False
    while depth:
        is_quoted ^= sql[position] == "'"
        depth += 0 if is_quoted else {"(": 1, ")": -1}.get(sql[position], 0)
        position += 1
    return position - 1


def outcome(conn, sql):
    """The first row and None, or None and the code of the error."""
    try:
        return conn.execute(sql).fetchone(), None
    except sqlite3.Error as error:
        return None, code_of(error)


def matches(seen, expected):
    """True if two JSON values are equal; the text `<instant>` stands for any point in time."""
    if expected == INSTANT:
        return isinstance(seen, int | float) and not isinstance(seen, bool)
    if isinstance(expected, dict):
        same_keys = isinstance(seen, dict) and seen.keys() == expected.keys()
        return same_keys and all(matches(seen[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        same_length = isinstance(seen, list) and len(seen) == len(expected)
        return same_length and all(map(matches, seen, expected))
    return type(seen) is type(expected) and seen == expected
