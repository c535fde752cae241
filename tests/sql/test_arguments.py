"""The values that each parameter accepts, generated from the reference.

A value that the reference allows is accepted. Any other value fails with HONKER_INVALID_ARGUMENT and the parameter's
name, and changes nothing. The values are a fixed list, the ends of the declared range and, for JSON, documents made
from the declared schema. Nothing crashes, and the database is intact at the end.
"""

import json
import math
import re
import sqlite3
from contextlib import contextmanager

import pytest

from .contract import ORDINARY, code_of, declared_errors, functions, ordinary, ordinary_arguments, signatures, types
from .contract_documents import UNDECIDED, documents
from .contract_types import is_in_range, is_text_allowed
from .database import dump, enqueue, refused, rows, value
from .loading import connect

SPAN_MAX = 3_155_760_000
TEXT_MAX = 104_857_600


class Sql:
    """A value that Python cannot bind, as an SQL expression."""

    def __init__(self, expression, seen=None):
        self.expression = expression
        self.seen = seen  # its value in Python, where the oracle needs it


NOT_UTF8 = Sql("CAST(x'ff' AS TEXT)")
CUT_UTF8 = Sql("CAST(x'e282' AS TEXT)")
WITH_NUL = Sql("CAST(x'610062' AS TEXT)", seen="a\0b")
TOO_LONG = Sql(f"hex(zeroblob({TEXT_MAX // 2 + 1}))")

VALUES = {
    "null": None,
    "nan": math.nan,  # SQLite stores NaN as NULL
    "zero": 0,
    "one": 1,
    "minus-one": -1,
    "ten-thousand-and-one": 10_001,
    "million-and-one": 1_000_001,
    "two-to-the-53": 2**53,
    "zero-as-real": 0.0,
    "minus-zero-as-real": -0.0,
    "three-as-real": 3.0,
    "minus-one-as-real": -1.0,
    "two-to-the-53-as-real": 2.0**53,
    "two-to-the-54-as-real": 2.0**54,
    "smallest": -(2**63),
    "largest": 2**63 - 1,
    "half": 0.5,
    "minus-half": -0.5,
    "thousandth": 0.001,
    "tiny": 1e-5,
    "huge": 1e300,
    "infinity": math.inf,
    "minus-infinity": -math.inf,
    "longest-span": SPAN_MAX,
    "longer-than-the-longest-span": SPAN_MAX + 0.001,
    "number-as-text": "1",
    "empty-text": "",
    "blank": " ",
    "text": "bücher-日本-🚀",
    "longest-name": "x" * 255,
    "too-long-name": "x" * 256,
    "too-long-name-of-wide-characters": "ü" * 128,
    "sql": "'); DROP TABLE _honker_live; --",
    "nul": WITH_NUL,
    "not-utf8": NOT_UTF8,
    "cut-utf8": CUT_UTF8,
    "empty-blob": b"",
    "blob": b"\x00\xff",
    "json": "[1, 2]",
    "one-number": "[1]",
    "wrong-json": '[1, "2"]',
    "broken-json": "[1,",
    "deep-json": "[" * 10_000,
    "zone": "Europe/Berlin",
    "interval": "@every 10s",
    "policy": "once",
    "retention": "dead",
    "claims": "[[1, 1], [2, 1]]",
    "options": '{"run_at": 5, "delay": 2.5, "priority": 1, "max_attempts": 2, "expires": null}',
    "wrong-options": '{"colour": 1}',
    "settlements": '[{"id": 1, "attempt": 1, "do": "ack"}]',
    "wrong-settlements": '[{"id": 1, "attempt": 1, "do": "forget"}]',
    "events": '[[null, "a"], ["k", "b"]]',
    "wrong-events": '[[null, "a"], [1, "b"]]',
    "backend": "polling",
    "descriptor": "pipe",
}


def allows(parameter, seen):
    """Tell if the reference allows the value: True, False or UNDECIDED."""
    if isinstance(seen, Sql):
        seen = b"" if seen.seen is None else seen.seen  # the others are not text, or too long
    if seen is None or (isinstance(seen, float) and math.isnan(seen)):
        return parameter.get("nullable", False)
    if parameter.get("each") and isinstance(seen, str):
        return seen == VALUES["one-number"]  # there is one payload
    base = types().base_of(parameter["type"])
    if isinstance(seen, float) and seen.is_integer() and abs(seen) <= 2.0**53:
        seen = int(seen)
    if base == "boolean":
        return type(seen) is int
    if base not in {"integer", "number"}:
        return isinstance(seen, str) and allows_text(parameter, seen)
    limits = types().narrowed(parameter)
    if isinstance(limits.get("max"), str):  # another argument, which has its ordinary value
        limits = limits | {"max": ORDINARY[parameter["type"]]}
    is_number = type(seen) is int or (type(seen) is float and base == "number")
    if not is_number or not is_in_range(seen, limits):
        return False
    return UNDECIDED if parameter["type"] == "future_instant" else True


def allows_text(parameter, seen):
    return is_text_allowed(seen, types().narrowed(parameter)) and CONTENT.get(parameter["type"], lambda _: True)(seen)


# What else the types of text ask for.
CONTENT = {
    "name": lambda seen: "\0" not in seen,
    # How many elements there must be is another argument's matter.
    "array<job_id>": lambda seen: seen in {VALUES["json"], VALUES["one-number"], VALUES["claims"]} and UNDECIDED,
    "array<integer or null>": lambda seen: seen in {VALUES["json"], VALUES["one-number"]} and UNDECIDED,
    "job_options": lambda seen: seen == VALUES["options"],
    "unique_options": lambda seen: False,
    "flow_options": lambda seen: False,
    "queue_settings": lambda seen: False,
    "job_filter": lambda seen: False,
    "file_settings_change": lambda seen: False,
    "worker_report": lambda seen: False,
    "array<claim>": lambda seen: seen == VALUES["claims"],
    "array<settlement>": lambda seen: seen == VALUES["settlements"],
    "array<new_event>": lambda seen: seen == VALUES["events"],
    "array<any>": lambda seen: seen not in {VALUES["broken-json"], VALUES["deep-json"]} and seen.startswith("["),
    "expression": lambda seen: seen == VALUES["interval"],
    "time_zone": lambda seen: seen in {"", VALUES["zone"]},
    "path": lambda _: UNDECIDED,  # it depends on the directory
}


def edges(parameter):
    """The ends of the declared range, and the values just outside it, by label."""
    limits = types().narrowed(parameter)
    step = 0.001 if types().base_of(parameter["type"]) == "number" else 1
    values = {}
    if "one_of" in limits:
        values |= {f"one of: {each}": each for each in limits["one_of"]} | {"none of them": "telepathy"}
    if "above" in limits:
        values |= {"the bound itself": limits["above"], "above the bound": limits["above"] + step}
    for end, outwards in (("min", -step), ("max", step)):
        if isinstance(limits.get(end), int):
            values |= {end: limits[end], f"beyond {end}": limits[end] + outwards}
    return {label: value for label, value in values.items() if isinstance(value, float | str) or abs(value) < 2**63}


def statement(name, arguments):
    expressions = [argument.expression if isinstance(argument, Sql) else "?" for argument in arguments]
    bound = [argument for argument in arguments if not isinstance(argument, Sql)]
    return f"SELECT {name}({', '.join(expressions)})", bound


CASES = [
    pytest.param(
        name,
        parameters[: next(arity for arity in arities if arity > index)],
        index,
        id=f"{name}/{arities[-1]}-{parameter['name']}",
    )
    for name, parameters, arities in signatures()
    for index, parameter in enumerate(parameters)
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One database for all, so that later calls meet the rows of accepted ones."""
    conn = connect(tmp_path_factory.mktemp("arguments") / "app.db")
    conn.execute("PRAGMA journal_mode = WAL").fetchone()
    conn.execute("PRAGMA synchronous = OFF")
    conn.execute("SELECT honker_bootstrap()").fetchone()
    conn.execute("SELECT honker_test_clock_run(0)").fetchone()  # refused once there is a job
    enqueue(conn, "n")
    conn.execute("SELECT honker_scheduler_register('n', 'n', '@every 60s', '{}', 0, NULL)").fetchone()
    yield conn
    conn.close()


@pytest.mark.parametrize(("name", "parameters", "index"), CASES)
def test_the_parameter_takes_what_the_reference_allows_and_nothing_else(shared, name, parameters, index):
    tried = parameters[index]
    for label, seen in (VALUES | edges(tried)).items():
        try_argument(shared, name, parameters, index, (label, seen, allows(tried, seen)))


JSON_CASES = [case for case in CASES if types().is_json(case.values[1][case.values[2]]["type"])]


@pytest.mark.parametrize(("name", "parameters", "index"), JSON_CASES)
def test_the_parameter_takes_the_documents_of_its_schema_and_no_others(shared, name, parameters, index):
    for document in documents(types(), parameters[index]):
        try_argument(shared, name, parameters, index, document)


OBJECTS = [
    (name, parameters, index, object_type)
    for name, parameters, index in (case.values for case in CASES)
    for object_type in [types().element_of(parameters[index]["type"]) or parameters[index]["type"]]
    if types().base_of(object_type) == "object"
]


@pytest.mark.parametrize(("name", "parameters", "index", "object_type"), OBJECTS)
def test_the_refusal_of_an_unknown_field_names_every_field_of_the_schema(shared, name, parameters, index, object_type):
    arguments = [ordinary(parameter) for parameter in parameters]
    is_array = types().element_of(parameters[index]["type"]) is not None
    arguments[index] = json.dumps([{"unknown": 1}] if is_array else {"unknown": 1})
    _, error = outcome_of(shared, *statement(name, arguments))
    known = str(error).partition('"unknown"' if '"unknown"' in str(error) else "`unknown`")[2].partition(" at line ")[0]
    words = set(re.findall(r"\w+", known)) - {"expected", "one", "of", "or", "the", "options", "are"}
    assert words == types().types[object_type]["fields"].keys()


def try_argument(shared, name, parameters, index, trial):
    label, seen, allowed = trial
    arguments = [ordinary(parameter) for parameter in parameters]
    arguments[index] = seen
    with undone(shared):
        before = dump(shared)
        result, error = outcome_of(shared, *statement(name, arguments))
        if error is None:
            assert allowed in {True, UNDECIDED}, f"{label} was accepted"
            assert list(types().mismatches_of_result(result, functions()[name]["result"])) == [], label
            return
        check_refusal(name, parameters[index], label, allowed, error)
        assert dump(shared) == before, f"{label} was refused, and yet something changed"


@contextmanager
def undone(conn):
    conn.execute("BEGIN")
    try:
        yield
    finally:
        conn.execute("ROLLBACK")


def outcome_of(conn, sql, bound):
    """The result and None, or None and the error."""
    try:
        (result,) = conn.execute(sql, bound).fetchone()
        if "watcher_open(" in sql:  # subscriptions belong to the process and would stay
            conn.execute("SELECT honker_update_watcher_close(?)", (result,)).fetchone()
    except sqlite3.Error as error:
        return None, error
    return result, None


def check_refusal(name, parameter, label, allowed, error):
    assert code_of(error) in declared_errors(name), f"{label}: {error}"
    if code_of(error) == "HONKER_WATCHER":  # the file is not there; that was found after the arguments were checked
        assert allowed in {True, UNDECIDED}, f"{label}: {error}"
        return
    assert allowed is not True, f"{label} was refused: {error}"
    assert code_of(error) == "HONKER_INVALID_ARGUMENT", f"{label}: {error}"
    named = {parameter["name"]} | types().narrowed(parameter).get("fields", {}).keys()  # an option names itself
    assert any(re.search(rf"\b{name}\b", str(error)) for name in named), f"{label}: {error}"


def test_the_database_is_whole_after_all_of_it(shared):
    assert rows(shared, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(("name", "index", "arity"), [
    pytest.param("honker_enqueue", 0, 7, id="name"),
    pytest.param("honker_enqueue", 1, 7, id="payload"),
    pytest.param("honker_enqueue_many", 1, 7, id="payloads"),
    pytest.param("honker_ack_batch", 0, 2, id="json"),
    pytest.param("honker_scheduler_register", 2, 6, id="expression"),
])  # fmt: skip
def test_a_text_above_the_largest_is_refused_unread(conn, name, index, arity):
    arguments = ordinary_arguments(name, arity)
    arguments[index] = TOO_LONG
    _, error = outcome_of(conn, *statement(name, arguments))
    assert code_of(error) == "HONKER_INVALID_ARGUMENT"
    assert functions()[name]["parameters"][index]["name"] in str(error)


def test_the_largest_payload_is_stored_and_handed_back(conn):
    conn.execute(f"SELECT honker_enqueue('q', hex(zeroblob({TEXT_MAX // 2})), NULL, NULL, 0, 3, NULL)").fetchone()
    claimed = json.loads(value(conn, "SELECT honker_claim_batch('q', 'w', 1, 60)"))
    assert claimed[0]["payload"] == "0" * TEXT_MAX


@pytest.mark.parametrize("name", list(functions()))
def test_a_wrong_number_of_arguments_is_refused_by_sqlite(shared, name):
    known = {arity for known, _, arities in signatures() if known == name for arity in arities}
    for arity in set(range(12)) - known:
        with pytest.raises(sqlite3.OperationalError, match=rf"wrong number of arguments to function {name}\(\)"):
            shared.execute(f"SELECT {name}({', '.join(['1'] * arity)})")


def test_an_error_tells_argument_value_and_range(conn):
    with refused("HONKER_INVALID_ARGUMENT", "n is 10001; 0 to 10000 are allowed"):
        value(conn, "SELECT honker_claim_batch('q', 'w', 10001, 60)")


def test_a_wrong_type_is_told_with_its_position(conn):
    with refused("HONKER_INVALID_ARGUMENT", "Invalid function parameter type Text at index 4"):
        value(conn, "SELECT honker_enqueue('q', '{}', NULL, NULL, 'high', 3, NULL)")


def test_an_invalid_argument_is_a_mismatch_to_the_host(conn):
    with refused("HONKER_INVALID_ARGUMENT") as caught:
        value(conn, "SELECT honker_get_job('1')")
    assert caught.value.sqlite_errorname == "SQLITE_MISMATCH"


def test_text_with_a_nul_character_survives_in_a_payload(conn):
    conn.execute("SELECT honker_enqueue('q', CAST(x'610062' AS TEXT), NULL, NULL, 0, 3, NULL)").fetchone()
    claimed = json.loads(value(conn, "SELECT honker_claim_batch('q', 'w', 1, 60)"))
    assert claimed[0]["payload"] == "a\0b"


@pytest.mark.parametrize("attempts", ["[1]", "[1, 2, 3]", "[]"])
def test_ack_batch_wants_as_many_attempts_as_ids(conn, attempts):
    with refused("HONKER_INVALID_ARGUMENT", "attempts_json"):
        value(conn, "SELECT honker_ack_batch('[1, 2]', 'w', ?)", attempts)


def test_ack_batch_takes_as_many_ids_as_a_claim_hands_out(conn):
    assert value(conn, "SELECT honker_ack_batch(?, 'w')", json.dumps(list(range(10_000)))) == 0
    with refused("HONKER_INVALID_ARGUMENT", "ids_json has 10001 elements; at most 10000"):
        value(conn, "SELECT honker_ack_batch(?, 'w')", json.dumps(list(range(10_001))))


def test_ack_batch_takes_pairs_of_id_and_attempt(conn):
    for _ in range(3):
        enqueue(conn)
    conn.execute("SELECT honker_claim_batch('q', 'w', 3, 60)").fetchone()
    assert value(conn, "SELECT honker_ack_batch('[[1, 1], [2, 2], [3.0, null]]', 'w')") == 2
    assert rows(conn, "SELECT id FROM _honker_live") == [(2,)]


@pytest.mark.parametrize("ids", ["[[1]]", "[[]]", "[[1, 1, 1]]", '[["1", 1]]', "[[1, 0.5]]", "[[null, 1]]"])
def test_ack_batch_refuses_what_is_no_pair(conn, ids):
    with refused("HONKER_INVALID_ARGUMENT", "ids_json"):
        value(conn, "SELECT honker_ack_batch(?, 'w')", ids)


def test_ack_batch_refuses_attempts_in_two_places(conn):
    with refused("HONKER_INVALID_ARGUMENT", "attempts_json"):
        value(conn, "SELECT honker_ack_batch('[[1, 1]]', 'w', '[1]')")


@pytest.mark.parametrize("function", ["honker_cancel", "honker_get_job", "honker_requeue"])
def test_a_job_and_its_queue_are_taken_in_either_order(conn, function):
    enqueue(conn, "q")
    if function == "honker_requeue":
        conn.execute("SELECT honker_claim_batch('q', 'w', 1, 60)").fetchone()
        conn.execute("SELECT honker_fail(1, 'w', 'broken')").fetchone()
    assert not value(conn, f"SELECT {function}('another', 1)")
    assert value(conn, f"SELECT {function}('q', 1)")


@pytest.mark.parametrize("function", ["honker_cancel", "honker_get_job", "honker_requeue"])
@pytest.mark.parametrize("arguments", ["'1'", "'q', 'q'", "1, 1", "'q', NULL", "'q', 1.5"])
def test_a_job_without_an_integer_or_a_queue_without_a_name_is_refused(conn, function, arguments):
    with refused("HONKER_INVALID_ARGUMENT"):
        value(conn, f"SELECT {function}({arguments})")


def test_a_driver_that_binds_every_number_as_real_can_use_a_queue(conn):
    assert value(conn, "SELECT honker_enqueue('q', '{}', NULL, 0.0, 2.0, 3.0, 60.0)") == 1
    assert rows(conn, "SELECT typeof(priority), typeof(max_attempts) FROM _honker_live") == [("integer", "integer")]
    job = json.loads(value(conn, "SELECT honker_claim_batch('q', 'w', 1.0, 60.0)"))[0]
    assert (job["priority"], type(job["claim_expires_at"])) == (2, int)
    assert value(conn, "SELECT honker_heartbeat(1.0, 'w', 60.0, 1.0)") == 1
    assert value(conn, "SELECT honker_ack(1.0, 'w', 1.0)") == 1


def test_a_whole_real_beyond_two_to_the_53_is_no_integer(conn):
    """Such a REAL may stand for any of several integers."""
    with refused("HONKER_INVALID_ARGUMENT", "Invalid function parameter type Real at index 0"):
        value(conn, "SELECT honker_get_job(9007199254740994.0)")
