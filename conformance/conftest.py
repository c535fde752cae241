"""The agents: one of each language whose programs this machine has."""

import pytest

from .agent import Agent
from .binding import Binding, all_bindings

BINDINGS = [each for each in all_bindings() if each.agent]


def check_programs(binding: Binding) -> None:
    """Skip the test if this machine lacks a program of the language."""
    missing = binding.missing()
    if missing:
        pytest.skip("; ".join(f"{binding.title} needs {need.what}: {need.how()}" for need in missing))


@pytest.fixture(scope="session", params=BINDINGS, ids=lambda each: each.name)
def binding(request: pytest.FixtureRequest) -> Binding:
    """Each binding in turn."""
    check_programs(request.param)
    return request.param


@pytest.fixture(scope="session")
def agent(binding: Binding):
    """The agent of the binding. It opens many files, one after the other."""
    with Agent(binding) as running:
        yield running
