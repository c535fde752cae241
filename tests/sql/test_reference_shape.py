"""The form of `reference.yaml`: generators of documentation and of bindings rely on it.

Each mutation breaks one rule of a valid reference; the check must name the place.
"""

import copy
import re
import tomllib

import pytest

from .contract import reference
from .loading import ROOT
from .reference_shape import problems

ACK = ("functions", "honker_ack")
CLAIM = ("functions", "honker_claim_batch")


def test_the_reference_has_its_form():
    assert problems(reference()) == []


def test_no_function_is_newer_than_this_release():
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    for name, function in reference()["functions"].items():
        assert as_numbers(function["since"]) <= as_numbers(version), name


def as_numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)]


REMOVED = object()

# What is changed, to which value, and the beginning of the problem that is then reported.
MUTATIONS = {
    "a missing key": ([*ACK, "since"], REMOVED, "functions.honker_ack has no `since`"),
    "a key of another format": ([*ACK, "kind"], 1, "functions.honker_ack has a key `kind`; allowed are "),
    "an entry that is no mapping": ([*ACK], "later", "functions.honker_ack is 'later'; a mapping is required"),
    "a version without a number": ([*ACK, "since"], "soon", "functions.honker_ack is since soon"),
    "an unknown engine": ([*ACK, "engines"], ["mysql"], "functions.honker_ack has the engines ['mysql']"),
    "an unknown effect": ([*ACK, "effect"], "magic", "functions.honker_ack has the effect magic"),
    "a read with a write lock": ([*ACK, "effect"], "read", "functions.honker_ack has the effect read and the write_lock"),
    "an unknown error": ([*ACK, "errors"], ["HONKER_X"], "functions.honker_ack has the error HONKER_X"),
    "a summary without an end": ([*ACK, "summary"], "Acks", "functions.honker_ack.summary does not end"),
    "a cost that is no text": ([*ACK, "cost"], 1, "functions.honker_ack.cost is no text"),
    "an unknown type": ([*ACK, "parameters", 0, "type"], "job_ids", "functions.honker_ack.job_id has the type job_ids"),
    "a parameter without a type": ([*ACK, "parameters", 0, "type"], REMOVED, "functions.honker_ack.job_id has no `type`"),
    "the old key `kind`": ([*ACK, "parameters", 0, "kind"], "name", "functions.honker_ack.job_id has a key `kind`"),
    "a limit of another base": ([*ACK, "parameters", 0, "max_bytes"], 1, "functions.honker_ack.job_id has a key"),
    "a limit that is no parameter": ([*ACK, "parameters", 0, "max"], "n", "functions.honker_ack.job_id has the maximum n"),
    "a default of another type": ([*ACK, "parameters", 2, "default"], "x", "functions.honker_ack.attempt: default is 'x'"),
    "a default out of range": (
        [*CLAIM, "parameters", 3, "default"], 0, "functions.honker_claim_batch.timeout_s: default is 0 and out of range",
    ),
    "a null default of no nullable": ([*ACK, "parameters", 1, "default"], None, "functions.honker_ack.worker_id: default"),
    "an optional without a default": ([*ACK, "parameters", 2, "default"], REMOVED, "functions.honker_ack.attempt is optional"),
    "an optional before a required": ([*ACK, "parameters", 0, "optional"], True, "functions.honker_ack has a required"),
    "arities beyond the parameters": ([*ACK, "arities"], [2, 4], "functions.honker_ack has the arities [2, 4]"),
    "two parameters of a name": ([*ACK, "parameters", 1, "name"], "job_id", "functions.honker_ack has two parameters"),
    "a parameter in another case": ([*ACK, "parameters", 0, "name"], "jobId", "functions.honker_ack.jobId is no name"),
    "a result of an unknown type": ([*ACK, "result", "type"], "bool", "functions.honker_ack.result has the type bool"),
    "a result in prose": ([*ACK, "result", "is"], "1 if held", "functions.honker_ack.result has a key `is`"),
    "an unknown receiver": ([*ACK, "methods", 0, "receiver"], "robot", "functions.honker_ack: robot.ack"),
    "a method in another case": ([*ACK, "methods", 0, "name"], "ackJob", "functions.honker_ack: queue.ackJob is no name"),
    "a method twice": ([*ACK, "methods", 0, "name"], "fail", "the method queue.fail belongs to 2 functions"),
    "a bound parameter that is none": ([*ACK, "methods", 1, "binds"], {"id": "id"}, "functions.honker_ack: job.ack binds id"),
    "a field that is none": ([*ACK, "methods", 1, "binds"], {"job_id": "key"}, "functions.honker_ack: job.ack takes job_id"),
    "a field of another type": (
        [*ACK, "methods", 1, "binds"], {"job_id": "queue"}, "functions.honker_ack: job.ack takes job_id from queue",
    ),
    "a constant of another type": ([*ACK, "methods", 0, "with"], {"attempt": "1"}, "functions.honker_ack: queue.ack passes"),
    "an example with another key": (
        [*ACK, "examples", 0, 0], {"sql": "SELECT honker_ack(1, 'w')", "result": 1},
        "functions.honker_ack has an example step with the keys sql, result",
    ),
    "an example with an unknown error": (
        [*ACK, "examples", 0, 0], {"sql": "SELECT 1", "fails": "X"}, "functions.honker_ack has an example that fails with X",
    ),
    "no example of the function": ([*ACK, "examples"], [[{"later": 1}]], "functions.honker_ack has no example"),
    "a type of an unknown base": (["types", "name", "base"], "str", "types.name has the base 'str'"),
    "a field of an unknown type": (["types", "job", "fields", "id", "type"], "x", "types.job.id has the type x"),
    "a receiver made by no receiver": (["receivers", "queue", "made_by"], "robot.queue", "receivers.queue is made by"),
    "an error set with no error": (["error_sets", "reading", 0], "HONKER_X", "error_sets.reading has HONKER_X"),
    "an error without an action": (["errors", "HONKER_IO", "action"], REMOVED, "errors.HONKER_IO has no `action`"),
    "no types": (["types"], REMOVED, "reference.yaml has no `types`"),
}  # fmt: skip


@pytest.mark.parametrize("mutation", list(MUTATIONS))
def test_a_broken_rule_is_reported_with_its_place(mutation):
    keys, value, beginning = MUTATIONS[mutation]
    broken = copy.deepcopy(reference())
    place = broken
    for key in keys[:-1]:
        place = place[key]
    if value is REMOVED:
        del place[keys[-1]]
    else:
        place[keys[-1]] = value
    assert [problem for problem in problems(broken) if problem.startswith(beginning)], problems(broken)
