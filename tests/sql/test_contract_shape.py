"""The form of `reference.yaml`: generators of documentation and of bindings rely on it.

Each mutation breaks one rule of a valid reference; the check must name the place.
"""

import copy
import functools
import re
import tomllib

import pytest
import yaml

from .contract import OnceLoader, reference
from .contract_shape import problems
from .loading import ROOT


def test_the_reference_has_its_form():
    assert problems(reference()) == []


def test_no_function_is_newer_than_this_release():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for name, function in reference()["functions"].items():
        assert as_numbers(function["since"]) <= as_numbers(version), name


def as_numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


REMOVED = object()

# Of the entry honker_ack: the place that is changed, its new value, and the problem after `functions.honker_ack`.
OF_A_FUNCTION = {
    "a missing key": ("since", REMOVED, " has no `since`"),
    "a key of another format": ("kind", 1, " has a key `kind`; allowed are about, arities, cost"),
    "a version without a number": ("since", "soon", " is since soon; a version"),
    "an unknown engine": ("engines", ["mysql"], " has the engines ['mysql']; allowed"),
    "an unknown effect": ("effect", "magic", " has the effect magic; allowed"),
    "a read with a write lock": ("effect", "read", " has the effect read and the write_lock always"),
    "an effect outside that PostgreSQL has": ("effect", "outside", " acts outside the database"),
    "an unknown error": ("errors", ["HONKER_X"], " has the error HONKER_X"),
    "a summary without an end": ("summary", "Acks", ".summary does not end with a full stop"),
    "a cost that is no text": ("cost", 1, ".cost is no text"),
    "an unknown type": ("parameters.0.type", "job_ids", ".job_id has the type job_ids; `types` lacks job_ids"),
    "a parameter without a type": ("parameters.0.type", REMOVED, ".job_id has no `type`"),
    "the old key `kind`": ("parameters.0.kind", "name", ".job_id has a key `kind`; allowed are"),
    "a limit of another base": ("parameters.0.max_bytes", 1, ".job_id has a key `max_bytes`; allowed are"),
    "a limit that is no parameter": ("parameters.0.max", "n", ".job_id has the maximum n, which is no parameter"),
    "a default of another type": ("parameters.2.default", "x", ".attempt: default is 'x' and no integer"),
    "a null default of no nullable": ("parameters.1.default", None, ".worker_id: default is null"),
    "an optional without a default": ("parameters.2.default", REMOVED, ".attempt is optional and has no `default`"),
    "an optional before a required": ("parameters.0.optional", True, " has a required parameter after an optional"),
    "arities beyond the parameters": ("arities", [2, 4], " has the arities [2, 4]; its parameters need 2 to 3"),
    "two parameters of a name": ("parameters.1.name", "job_id", " has two parameters with one name"),
    "a parameter in another case": ("parameters.0.name", "jobId", ".jobId is no name in snake_case"),
    "a result of an unknown type": ("result.type", "bool", ".result has the type bool, which `types` lacks"),
    "a result in prose": ("result.is", "1 if held", ".result has a key `is`; allowed are"),
    "an unknown receiver": ("methods.0.receiver", "robot", ": robot.ack: `receivers` lacks robot"),
    "a method in another case": ("methods.0.name", "ackJob", ": queue.ackJob is no name in snake_case"),
    "a bound parameter that is none": ("methods.1.binds", {"id": "id"}, ": job.ack binds id, which is no parameter"),
    "a field that is none": ("methods.1.binds", {"job_id": "hue"}, ": job.ack takes job_id from hue, which is no"),
    "a field of another type": ("methods.1.binds", {"job_id": "queue"}, ": job.ack takes job_id from queue, which has"),
    "a constant of another type": ("methods.0.with", {"attempt": "1"}, ": queue.ack passes attempt: it is '1' and no"),
    "a constant of no parameter": ("methods.0.with", {"n": 1}, ": queue.ack passes n, which is no parameter"),
    "an example with another key": ("examples.0.0.result", 1, " has an example step with the keys sql, gives, result"),
    "an example with an unknown error": (
        "examples.0.0", {"sql": "SELECT 1", "fails": "X"}, " has an example that fails with X",
    ),
    "no example of the function": ("examples", [[{"later": 1}]], " has no example that calls it"),
}  # fmt: skip

ELSEWHERE = {
    "an entry that is no mapping": ("functions.notify", "later", "functions.notify is 'later'; a mapping is required"),
    "a method twice": (
        "functions.honker_ack.methods.0.name", "fail", "the method queue.fail belongs to 2 functions",
    ),
    "a default out of range": (
        "functions.honker_claim_batch.parameters.3.default", 0,
        "functions.honker_claim_batch.timeout_s: default is 0 and out of range",
    ),
    "a type of an unknown base": ("types.name.base", "str", "types.name has the base 'str'; allowed are"),
    "a field of an unknown type": ("types.job.fields.id.type", "x", "types.job.id has the type x"),
    "a receiver made by no receiver": ("receivers.queue.made_by", "robot.queue", "receivers.queue is made by robot"),
    "an error set with no error": ("error_sets.reading.0", "HONKER_X", "error_sets.reading has HONKER_X"),
    "an error without an action": ("errors.HONKER_IO.action", REMOVED, "errors.HONKER_IO has no `action`"),
    "no types": ("types", REMOVED, "reference.yaml has no `types`"),
}  # fmt: skip

MUTATIONS = ELSEWHERE | {
    label: (f"functions.honker_ack.{place}", value, f"functions.honker_ack{problem}")
    for label, (place, value, problem) in OF_A_FUNCTION.items()
}


@pytest.mark.parametrize("mutation", list(MUTATIONS))
def test_a_broken_rule_is_reported_with_its_place(mutation):
    place, value, beginning = MUTATIONS[mutation]
    broken = copy.deepcopy(reference())
    *path, last = (int(key) if key.isdigit() else key for key in place.split("."))
    entry = functools.reduce(lambda within, key: within[key], path, broken)
    if value is REMOVED:
        del entry[last]
    else:
        entry[last] = value
    assert [problem for problem in problems(broken) if problem.startswith(beginning)], problems(broken)


def test_a_key_that_stands_twice_is_refused_with_its_place():
    with pytest.raises(AssertionError, match=r"\['b'\] stand twice in the mapping that begins at line 2"):
        yaml.load("a:\n  b: 1\n  b: 2\n", OnceLoader)
