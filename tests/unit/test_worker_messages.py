"""The short ways of a worker: they read and write the same as the general ones."""

import json

import pytest
from honker import UnreadablePayloadError, serialization
from honker.engine.limits import LIMITS
from honker.job.headers import ENVELOPE
from honker.task.message import envelope, read_envelope, read_own_call
from honker.task.parents import FromParents
from honker.task.registry import TaskRegistry, TaskSpec
from honker.worker import settlement
from honker.worker.settlement import Ack, Backlog, Fail, FinishedJob, Retry, encode


class _Job:
    id, attempts = 7, 2


# ------------------------------------------------------------------------------------------------------------- payloads


@pytest.mark.parametrize("text", ["1", " 1", '{"a": [1, 2]}\n', '"é"', "null", "[1.5e3]"])
def test_a_payload_is_read_with_space_around_it_and_without(text):
    assert serialization.decode(text) == json.loads(text)


@pytest.mark.parametrize("text", ["1 2", "{", "", "[" * 100_000, "9" * 5_000, "nul"])
def test_a_payload_that_is_not_json_is_refused(text):
    if not text:
        assert serialization.decode(text) is None
        return
    with pytest.raises(UnreadablePayloadError):
        serialization.decode(text)


@pytest.mark.parametrize("args", [[], [1, {"a": None}]])
@pytest.mark.parametrize("headers", [None, {"trace": "1"}])
def test_a_plain_call_has_the_same_arguments_in_both_ways(args, headers):
    payload = json.loads(json.dumps(envelope("t", args, {"b": 2}, headers=headers)))
    general = read_envelope(payload)
    assert read_own_call(payload) == ("t", args, {"b": 2}) == (general.task, general.args, general.kwargs)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        5,
        [],
        {},
        {"a": 1},
        {"a": 1, "b": 2},
        {ENVELOPE: None},
        {ENVELOPE: {"task": 5, "args": [], "kwargs": {}}},
        {ENVELOPE: {"task": "t", "args": {}, "kwargs": {}}},
        envelope("t", from_parents=FromParents("results", [None])),
    ],
    ids=repr,
)
def test_every_other_payload_is_left_to_the_general_way(payload):
    assert read_own_call(payload) is None


# ---------------------------------------------------------------------------------------------------------- settlements


@pytest.mark.parametrize(
    "one",
    [
        FinishedJob(_Job, Ack()),
        FinishedJob(_Job, Ack(), 0.5),
        FinishedJob(_Job, Ack(), None, "task"),
        FinishedJob(_Job, Ack("5", 60)),
        FinishedJob(_Job, Ack(withheld=Ack)),
        FinishedJob(_Job, Retry(1.5, 'an "error"'), 2.0, "t"),
        FinishedJob(_Job, Fail("broken")),
    ],
    ids=repr,
)
def test_a_settlement_is_written_as_its_dict(one):
    expected = {"id": 7, "attempt": 2, **one.settlement.as_json()}
    expected |= {} if one.run_s is None else {"run_s": one.run_s}
    expected |= {"task": one.task} if one.task else {}
    assert json.loads(encode([one, one])) == [expected, expected]


def test_a_round_without_settlements_is_an_empty_array():
    assert encode([]) == "[]"


def test_a_round_takes_no_more_results_than_fit_and_the_rest_follows(monkeypatch):
    monkeypatch.setattr(settlement, "_ROUND_MAX_CHARS", 10)
    backlog = Backlog(LIMITS.settle_batch_max)
    for result in (None, "x" * 9, "y" * 9, None, "z"):
        backlog.add(_Job, Ack(result))
    first = backlog.take()
    assert [one.settlement.result for one in first] == [None, "x" * 9, "y" * 9]
    backlog.put_back(first)
    assert [len(backlog.take()) for _ in range(3)] == [3, 2, 0]
    backlog.add(_Job, Ack())
    assert len(backlog.take()) == 1


def test_a_round_without_results_takes_no_more_jobs_than_the_engine_does():
    backlog = Backlog(3)
    for _ in range(7):
        backlog.add(_Job, Ack())
    assert [len(backlog.take()) for _ in range(4)] == [3, 3, 1, 0]


# ------------------------------------------------------------------------------------------------------------- registry


def test_the_entries_of_a_name_are_another_object_after_each_change():
    registry = TaskRegistry()
    assert registry.entries("t") is None
    registry.register(TaskSpec("t", print, "q"))
    first = registry.entries("t")
    assert registry.entries("t") is first
    registry.register(TaskSpec("t", print, "other"))
    assert registry.entries("t") is not first
    registry.clear()
    assert registry.entries("t") is None
