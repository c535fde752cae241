"""The extent of model tests: a number of examples in CI, the given time under ``make torture``."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from .places import SqlitePlace

# One sequence on PostgreSQL for so many on SQLite.
POSTGRES_SHARE = 10
_ANY = {
    "deadline": None,
    "print_blob": True,
    "suppress_health_check": [HealthCheck.too_slow],  # a busy machine is no defect
}


def explore(machine, lay, torture, *, examples):
    """Run a state machine: a few sequences of steps, or long ones until the time of the long form is over.

    Args:
        machine: Its class, which gets `lay` to make its database.
        lay: Makes an empty database; see `places`.
        torture: The time.
        examples: The number of sequences on SQLite. On PostgreSQL a step takes some times as long, and they are fewer.
    """
    machine = type(machine.__name__, (machine,), {"lay": staticmethod(lay)})
    if not torture.is_long:
        count = examples if lay is SqlitePlace else examples // POSTGRES_SHARE
        run_state_machine_as_test(machine, settings=settings(max_examples=count, stateful_step_count=40, **_ANY))
        return
    for _ in torture.rounds(at_least=1):
        run_state_machine_as_test(machine, settings=settings(max_examples=50, stateful_step_count=100, **_ANY))
        torture.count("sequences of up to 100 steps", 50)
