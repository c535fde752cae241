"""Arguments whose type holds itself: a worker reads all that a call has accepted."""

import dataclasses
import sys
import threading
from typing import NamedTuple, TypedDict

import honker
import pytest
from honker.codec.recursion import more_frames

from ..support.workers import run_for


@dataclasses.dataclass
class Node:
    next: "Node | None" = None


@dataclasses.dataclass
class Tree:
    kids: "list[Tree]"


class Nested(NamedTuple):
    inner: "tuple[Nested, ...]"


class Linked(TypedDict):
    next: "dict[str, Linked] | None"


def chain(depth):
    value = Node()
    for _ in range(depth):
        value = Node(value)
    return value


def tree(depth):
    value = Tree([])
    for _ in range(depth):
        value = Tree([value])
    return value


def nested(depth):
    value = Nested(())
    for _ in range(depth):
        value = Nested((value,))
    return value


def linked(depth):
    value = Linked(next=None)
    for _ in range(depth):
        value = Linked(next={"k": value})
    return value


def depth_of_chain(value: Node) -> int:
    depth = 0
    while value.next is not None:
        value, depth = value.next, depth + 1
    return depth


def depth_of_tree(value: Tree) -> int:
    depth = 0
    while value.kids:
        value, depth = value.kids[0], depth + 1
    return depth


def depth_of_nested(value: Nested) -> int:
    depth = 0
    while value.inner:
        value, depth = value.inner[0], depth + 1
    return depth


def depth_of_linked(value: Linked) -> int:
    depth = 0
    while value["next"] is not None:
        value, depth = value["next"]["k"], depth + 1
    return depth


def in_thread(call):
    """The result of a call from the bottom of a stack, where more frames are left than in a test or in a worker."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def deepest(task, make):
    """The result of the deepest call that is accepted, and its depth."""

    def call():
        for depth in range(50, sys.getrecursionlimit()):
            try:
                accepted = task(make(depth)), depth
            except honker.InvalidPayloadError:
                return accepted
        raise AssertionError

    return in_thread(call)


@pytest.mark.parametrize("executor", ["thread", "coroutine"])
@pytest.mark.parametrize(
    ("fn", "make"),
    [(depth_of_chain, chain), (depth_of_tree, tree), (depth_of_nested, nested), (depth_of_linked, linked)],
    ids=["dataclass", "list of a dataclass", "named tuple", "typed dict"],
)
def test_a_worker_reads_the_deepest_argument_that_a_call_accepts(db, queue, fn, make, executor):
    async def coroutine(value):
        return fn(value)

    coroutine.__annotations__ = fn.__annotations__
    task = queue.task(name="depth")(fn if executor == "thread" else coroutine)
    result, depth = deepest(task, make)
    assert depth > 100
    assert run_for(db, result) == depth


def test_the_limit_of_python_is_put_back_after_the_last_reader():
    before = sys.getrecursionlimit()
    with more_frames():
        with more_frames():
            assert sys.getrecursionlimit() == 4 * before
        assert sys.getrecursionlimit() == 4 * before
    assert sys.getrecursionlimit() == before


def test_a_limit_that_the_application_sets_meanwhile_stays():
    before = sys.getrecursionlimit()
    try:
        with more_frames():
            sys.setrecursionlimit(before + 17)
        assert sys.getrecursionlimit() == before + 17
    finally:
        sys.setrecursionlimit(before)
