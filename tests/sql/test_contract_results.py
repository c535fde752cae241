"""The declared results, held against every result of every example.

Each result already belongs to its declared type, or its example fails. Here the declaration must not promise more than
the examples show: every field of every object type, both values of every boolean, and every "none".
"""

import json

import pytest

from .contract import examples, functions, reference, run_example, signatures, types
from .database import call, call_json
from .loading import connect

# Fields that no example can fill, with the reason.
NEVER_FILLED = {("watcher_stats", "death"): "a watcher dies when its file is replaced"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Every result that an example selects, by function."""
    found = {name: [] for name in functions()}
    directory = tmp_path_factory.mktemp("results")
    for position, (_, _, steps) in enumerate(examples()):
        conn = connect(directory / f"{position}.db")
        conn.execute("PRAGMA journal_mode = WAL").fetchone()
        conn.execute("PRAGMA synchronous = OFF")
        conn.execute("SELECT honker_bootstrap()").fetchone()
        for name, result in run_example(conn, steps):
            found[name].append(result)
        conn.close()
    return found


def is_absent(name, result):
    declared = functions()[name]["result"]
    return "absent" in declared and result == declared["absent"] and type(result) is type(declared["absent"])


# The examples keep the id of a subscription in a table, so that they can close it; the test below checks the type.
KEPT_IN_A_TABLE = {"honker_update_watcher_open"}


@pytest.mark.parametrize("name", [name for name in functions() if name not in KEPT_IN_A_TABLE])
def test_an_example_shows_the_result(results, name):
    assert [result for result in results[name] if not is_absent(name, result)]


def test_opening_a_watcher_returns_the_declared_type(conn, path):
    subscription = call(conn, "honker_update_watcher_open", str(path), None)
    call(conn, "honker_update_watcher_close", subscription)
    declared = functions()["honker_update_watcher_open"]["result"]
    assert list(types().mismatches_of_result(subscription, declared)) == []


@pytest.mark.parametrize("name", [name for name, function in functions().items() if "absent" in function["result"]])
def test_an_example_shows_that_there_is_none(results, name):
    assert [result for result in results[name] if is_absent(name, result)]


@pytest.mark.parametrize(
    "name", [name for name, function in functions().items() if function["result"]["type"] == "boolean"]
)
def test_the_examples_show_true_and_false(results, name):
    assert set(results[name]) == {0, 1}


@pytest.mark.parametrize(
    "name",
    [name for name, function in functions().items() if function["result"]["type"] in {"count", "job_id", "offset"}],
)
def test_an_example_shows_a_number_that_is_no_boolean(results, name):
    assert max(results[name]) > 1


@pytest.mark.parametrize(
    "name", [name for name, function in functions().items() if function["result"]["type"] == "constant"]
)
def test_a_constant_is_always_the_same_and_stated(results, name):
    assert {f"{result}." for result in results[name]} == {functions()[name]["result"]["about"]}


@pytest.fixture(scope="module")
def fields_seen(results):
    """(type, field) -> the values of the field in all results."""
    seen = {}
    for name, of_function in results.items():
        declared = functions()[name]["result"]["type"]
        for result in of_function:
            if types().is_json(declared) and not is_absent(name, result):
                for type_name, field, value in types().fields_seen(json.loads(result), declared):
                    seen.setdefault((type_name, field), []).append(value)
    return seen


def result_types():
    """The object types that results are made of."""
    names = [function["result"]["type"] for function in functions().values()]
    return sorted({each for name in names for each in types().objects_within(name)})


FIELDS = [(name, field) for name in result_types() for field in reference()["types"][name]["fields"]]


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_an_example_shows_the_field(fields_seen, name, field):
    values = fields_seen.get((name, field), [])
    assert values
    if (name, field) not in NEVER_FILLED:
        assert [value for value in values if value is not None]
    if reference()["types"][name]["fields"][field].get("nullable", False):
        assert None in values


def test_every_type_is_used():
    used = set()
    for name, parameters, _ in signatures():
        for entry in [*parameters, functions()[name]["result"]]:
            used |= types_within(entry["type"])
    for receiver in reference()["receivers"].values():
        for entry in receiver.get("fields", {}).values():
            used |= types_within(entry["type"])
    assert used == reference()["types"].keys()


def types_within(name):
    name = types().element_of(name) or name
    described = reference()["types"][name]
    fields = [*described.get("fields", {}).values(), *described.get("items", ())]
    return {name}.union(*(types_within(field["type"]) for field in fields))


@pytest.mark.parametrize("name", [name for name, each in reference()["types"].items() if "limit" in each])
def test_the_range_of_a_type_is_that_of_the_engine(conn, name):
    limits = call_json(conn, "honker_limits")
    described = reference()["types"][name]
    stated = limits[described["limit"]]
    if isinstance(stated, list):
        assert [described["min"], described["max"]] == stated
    else:
        assert described["max_bytes" if described["base"] == "text" else "max"] == stated
