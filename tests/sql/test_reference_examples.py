"""Every example of the reference, run."""

import pytest

from .contract import examples, functions, matches, run_example, run_step, selected_function


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
def test_a_false_example_is_found(conn, step):
    with pytest.raises(AssertionError):
        run_step(conn, step)


def test_an_example_whose_result_has_another_type_is_found(conn, monkeypatch):
    step = {"sql": "SELECT honker_notification_last_id('orders')", "gives": 0}
    run_step(conn, step)
    monkeypatch.setitem(functions()["honker_notification_last_id"], "result", {"type": "name"})
    with pytest.raises(AssertionError, match="no text"):
        run_step(conn, step)


def test_any_number_is_an_instant():
    assert matches([1, 1.5], ["<instant>", "<instant>"])
    assert not matches([True], ["<instant>"])


def test_a_statement_that_selects_one_function_is_recognised():
    assert selected_function("SELECT honker_enqueue('(', '{}', NULL, NULL, 0, 3, NULL)") == "honker_enqueue"
    assert selected_function("SELECT honker_update_watcher_fd(id) FROM watch") == "honker_update_watcher_fd"
    assert selected_function("SELECT honker_get_job(1) ->> '$.id'") is None
    assert selected_function("SELECT length(honker_get_job(1))") is None
