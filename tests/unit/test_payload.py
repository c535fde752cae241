"""The stored form of a payload, on which readers of the table in other languages rely."""

import json
import math
import pickle

import pytest
from honker import HonkerError, InvalidPayloadError, UnreadablePayloadError, serialization as payload


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"n": 1}, '{"n": 1}'),
        ("fresh-3", '"fresh-3"'),
        ([1, 2.5, None, True], "[1, 2.5, null, true]"),
        ("ä€", '"\\u00e4\\u20ac"'),
        ("\ud800", '"\\ud800"'),
        (None, "null"),
        ({2: "two"}, '{"2": "two"}'),
    ],
)
def test_a_payload_is_stored_as_json_dumps_writes_it_by_default(value, text):
    assert payload.encode(value) == text == json.dumps(value)


def test_a_payload_comes_back_as_it_went_in():
    value = {"to": "alice", "lines": [1, 2.5, None, {"ok": True}], "big": 2**80, "text": 'ä"\n'}
    assert payload.decode(payload.encode(value)) == value


def test_no_payload_is_none():
    assert payload.decode(None) is None
    assert payload.decode("") is None


def endless():
    value = []
    value.append(value)
    return value


def deep():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {"n": [math.nan]}, object(), {1, 2}, b"bytes", {(1, 2): 3}, endless(), deep()],
    ids=["nan", "inf", "-inf", "nested nan", "object", "set", "bytes", "tuple key", "circular", "too deep"],
)
def test_a_payload_without_a_json_form_is_a_type_error(value):
    with pytest.raises(InvalidPayloadError, match="cannot be written as JSON") as caught:
        payload.encode(value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, HonkerError)
    assert caught.value.__cause__ is not None


def test_a_stored_payload_that_is_not_json_says_so():
    with pytest.raises(json.JSONDecodeError):
        payload.decode("{broken")


@pytest.mark.parametrize(
    "value", [math.nan, object(), endless(), deep()], ids=["nan", "object", "circular", "too deep"]
)
def test_what_failed_once_does_not_spoil_the_next_payload(value):
    """All calls share one encoder."""
    for _ in range(2):
        with pytest.raises(InvalidPayloadError):
            payload.encode([1, value])
        assert payload.encode([1, [2]]) == "[1, [2]]"


def test_the_documented_encoder_does_where_the_fast_one_is_missing(monkeypatch):
    monkeypatch.setattr(payload, "_encode", None)
    assert payload.encode({"n": [1, "ä"]}) == '{"n": [1, "\\u00e4"]}'
    with pytest.raises(InvalidPayloadError):
        payload.encode(object())


def test_payloads_together_are_an_array_of_what_each_is_alone():
    values = [{"n": 1}, "ä", [1, 2], None]
    assert payload.encode_all(iter(values)) == f"[{', '.join(payload.encode(value) for value in values)}]"


def test_of_several_payloads_the_one_without_a_json_form_is_named():
    with pytest.raises(InvalidPayloadError, match="at position 2: the payload cannot be written as JSON"):
        payload.encode_all([1, 2, math.nan, object()])


@pytest.mark.parametrize("text", ["no JSON", "[" * 100_000, "9" * 5_000])
def test_text_that_cannot_be_read_is_one_error_of_honker(text):
    with pytest.raises(UnreadablePayloadError) as caught:
        payload.decode(text)
    assert isinstance(caught.value, json.JSONDecodeError)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (type(copy), str(copy)) == (UnreadablePayloadError, str(caught.value))
