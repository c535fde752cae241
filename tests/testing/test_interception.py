"""Interceptions of an engine that overlap and end in any order."""

import itertools

import pytest
from honker.testing.interception import Interception


class Engine:
    def call(self):
        return ["engine"]


def wrapped_by(name):
    return lambda method: lambda: [name, *method()]


@pytest.mark.parametrize("order", list(itertools.permutations("abc")), ids="".join)
@pytest.mark.parametrize("replaced", [False, True], ids=["plain", "replaced before"])
def test_interceptions_may_end_in_any_order(order, replaced):
    engine = Engine()
    base = ["engine"]
    if replaced:
        engine.call = lambda: ["other"]
        base = ["other"]
    interceptions = {name: Interception(engine) for name in "abc"}
    for name, interception in interceptions.items():
        interception.replace("call", wrapped_by(name))
    left = ["c", "b", "a"]
    assert engine.call() == [*left, *base]
    for name in order:
        interceptions[name].end()
        interceptions[name].end()
        left.remove(name)
        assert engine.call() == [*left, *base]
    assert ("call" in vars(engine)) == replaced
