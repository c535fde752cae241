"""The declared defaults: leaving an optional parameter out, NULL and the default have the same effect in SQL.

Each form is called on the same data and undone; results and data are compared, without points in time. So that the
comparison cannot pass unseen differences, another value has another effect.
"""

import json
import re
from contextlib import contextmanager

import pytest

from .contract import ORDINARY, as_argument, functions, ordinary_arguments
from .database import call, claim, dump, enqueue

# Subscriptions belong to the process, and neither their results nor the data show how they were opened.
UNOBSERVED = {("honker_update_watcher_open", "poll_interval_ms"), ("honker_update_watcher_open", "descriptor")}
CASES = [
    (name, index)
    for name, function in functions().items()
    for index, parameter in enumerate(function["parameters"])
    if parameter.get("optional", False) and (name, parameter["name"]) not in UNOBSERVED
]
# Arguments in the place of the ordinary ones, where those hide the parameter.
INSTEAD = {"honker_cron_next_after": ["0 3 * * *", 0], "honker_queue_list": [None, 10]}
# For each parameter a value that differs from its default.
ANOTHER = {
    "detailed": 1,
    "count_limit": 2,
    "attempt": 2,
    "attempts_json": "[2]",
    "queue": "another",
    "max_attempts": 9,
    "touch_max_attempts": 1,
    "time_zone": "Asia/Tokyo",
    "misfire": "once",
    "overlap": "skip",
    "when_paused": "skip",
    "is_unknown": 1,
    "only_unset": 1,
    "flow_json": '{"key": "k"}',
    "until": 4_000_000_000,
    "reason": "deploy",
    "total": 5,
    "note": "third page",
    "report_json": ORDINARY["worker_report"],
}
# A property of a schedule that counts only with its touch flag.
NEEDS_A_FLAG = {("honker_scheduler_update", "max_attempts")}
# A queue of the scenes has no settings that could be kept.
NEEDS_SETTINGS = {("honker_queue_configure", "only_unset")}
# Parameters that change points in time only.
CHANGES_INSTANTS = {("honker_release", "delay_s")}


def waiting(conn):
    for _ in range(3):
        enqueue(conn, "n")


def leased(conn):
    enqueue(conn, "n")
    claim(conn, "n", "n")
    call(conn, "honker_scheduler_register", "n", "n", "@every 60s", "{}", 0, None, 5)


def dead(conn):
    leased(conn)
    call(conn, "honker_fail", 1, "n", "broken", 1)


def crowded(conn):
    """One job more than statistics count by default."""
    payloads = json.dumps([{}] * 10_001)
    call(conn, "honker_enqueue_many", "n", payloads, None, None, 0, 3, None)


def scenes(name, index):
    counts = functions()[name]["parameters"][index]["name"] == "count_limit"
    return [waiting, leased, dead, crowded] if counts else [waiting, leased, dead]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{functions()[case[0]]['parameters'][case[1]]['name']}")
def case(request):
    return request.param


def test_leaving_out_and_null_and_the_default_have_the_same_effect(conn, case):
    name, index = case
    parameter = functions()[name]["parameters"][index]
    for scene in scenes(name, index):
        with undone(conn):
            scene(conn)
            left_out = effect(conn, name, without(name, index))
            assert effect(conn, name, with_value(name, index, None)) == left_out
            assert effect(conn, name, with_value(name, index, as_argument(parameter["default"], parameter))) == left_out


def test_another_value_has_another_effect(conn, case):
    name, index = case
    parameter = functions()[name]["parameters"][index]["name"]
    if (name, parameter) in NEEDS_A_FLAG | NEEDS_SETTINGS | CHANGES_INSTANTS:
        return
    differences = []
    for scene in scenes(name, index):
        with undone(conn):
            scene(conn)
            another = effect(conn, name, with_value(name, index, ANOTHER[parameter]))
            differences.append(another != effect(conn, name, without(name, index)))
    assert any(differences)


@contextmanager
def undone(conn):
    conn.execute("SAVEPOINT undone")
    try:
        yield
    finally:
        conn.execute("ROLLBACK TO undone")
        conn.execute("RELEASE undone")


def without(name, index):
    """Arguments for the largest arity that has not the parameter."""
    return arguments_of(name, max(arity for arity in functions()[name]["arities"] if arity <= index))


def with_value(name, index, value):
    """Arguments for the smallest arity that has the parameter; other optional parameters get their defaults."""
    arguments = arguments_of(name, min(arity for arity in functions()[name]["arities"] if arity > index))
    arguments[index] = value
    return arguments


def arguments_of(name, arity):
    arguments = INSTEAD.get(name, ordinary_arguments(name))[:arity]
    more = functions()[name]["parameters"][len(arguments) : arity]
    return arguments + [as_argument(parameter["default"], parameter) for parameter in more]


def effect(conn, name, arguments):
    """The result and all data after a call that is undone, without points in time."""
    with undone(conn):
        result = call(conn, name, *arguments)
        contents = dump(conn)
    kept = {table: [without_instants(row) for row in of_table] for table, of_table in contents.items()}
    decoded = json.loads(result) if isinstance(result, str) and re.match(r"[\[{]", result) else result
    return without_instants(decoded), kept


def without_instants(value):
    """The value, where numbers in the size of the present time are alike."""
    if isinstance(value, dict):
        return {key: without_instants(each) for key, each in value.items() if key != "oldest_ready_age_s"}
    if isinstance(value, list | tuple):
        return [without_instants(each) for each in value]
    if isinstance(value, int | float) and 1e9 < value < 1e10:
        return "<instant>"
    return "<storage class>" if value in {"integer", "real"} else value


@pytest.mark.parametrize("name", list(functions()))
def test_the_function_accepts_all_its_defaults_at_once(conn, name):
    parameters = functions()[name]["parameters"]
    if name == "honker_update_watcher_open":  # the file is not there
        return
    arguments = ordinary_arguments(name, len(parameters))
    for index, parameter in enumerate(parameters):
        if "default" in parameter:
            arguments[index] = as_argument(parameter["default"], parameter)
    call(conn, name, *arguments)
