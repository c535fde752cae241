"""Every example of the reference, run."""

import pytest

from .contract import examples, matches, run_example, run_step


@pytest.mark.parametrize("steps", [pytest.param(steps, id=f"{name}-{number}") for name, number, steps in examples()])
def test_the_example_does_as_it_says(conn, steps):
    run_example(conn, steps)


@pytest.mark.parametrize(
    "step",
    [
        {"sql": "SELECT 1", "gives": 2},
        {"sql": "SELECT 1", "gives": "1"},
        {"sql": "SELECT 1", "gives": None},
        {"sql": "SELECT 1.0", "gives": 1},
        {"sql": "SELECT '[]'", "json": [1]},
        {"sql": "SELECT '{\"a\":1}'", "json": {"a": 1, "b": 2}},
        {"sql": 'SELECT \'{"a":1,"b":2}\'', "json": {"a": 1}},
        {"sql": 'SELECT \'{"at":"soon"}\'', "json": {"at": "<instant>"}},
        {"sql": "SELECT 1", "fails": "HONKER_BUSY"},
        {"sql": "SELECT honker_get_job('1')", "fails": "HONKER_BUSY"},
        {"sql": "SELECT honker_get_job('1')"},
        {"sql": "SELECT nonsense"},
    ],
)
def test_an_example_that_lies_is_found_out(conn, step):
    with pytest.raises(AssertionError):
        run_step(conn, step)


def test_any_number_is_an_instant():
    assert matches([1, 1.5], ["<instant>", "<instant>"])
    assert not matches([True], ["<instant>"])
