"""The engine of an app forwards everything that an engine can do, and decorators declare the same options."""

import inspect

import pytest
from honker.engine import Engine
from honker.engine.forwarding import ForwardingEngine
from honker.queue.queue import Queue
from honker.task.declaring import PeriodicTaskOptions, TaskOptions

MEMBERS = sorted(name for name in vars(Engine) if not name.startswith("_"))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_forwarding_engine_has_every_member_of_an_engine(name):
    asked, found = vars(Engine)[name], vars(ForwardingEngine)[name]
    assert type(found) is type(asked)
    if callable(asked):
        assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(asked)
        assert str(inspect.signature(found)) == str(inspect.signature(asked))


def test_there_are_members_to_compare():
    assert {"acall", "add", "ask", "call", "path", "updates"} <= set(MEMBERS)


@pytest.mark.parametrize(
    ("options", "method", "own"),
    [(TaskOptions, Queue.task, {"self"}), (PeriodicTaskOptions, Queue.periodic_task, {"self", "schedule"})],
)
def test_the_decorators_that_name_a_queue_take_the_options_of_the_queues_own(options, method, own):
    assert set(options.__annotations__) == set(inspect.signature(method).parameters) - own
