"""`make bench`: that it runs and writes what it promises. How fast anything is, no test asserts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench" / "enqueue_claim.py"
SPREAD = {"median", "lowest", "highest"}
RATIOS = {"enqueue_in_one_call", "enqueue_per_commit", "enqueue_in_transaction", "claim_delayed", "claim_largest"}
RATES = {"claim_one", "claim_batch"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The result file of a quick run, as data, and what was printed."""
    output = tmp_path_factory.mktemp("bench") / "results" / "bench.json"
    command = [sys.executable, "-W", "error", BENCH, "--quick", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return json.loads(output.read_text("utf-8")), done.stdout


def test_the_result_says_where_it_was_measured(quick):
    result, _ = quick
    assert result.keys() == {"machine", "is_quick", "rounds", "figures"}
    assert result["is_quick"] is True
    assert result["machine"].keys() == {"processor", "cores", "system", "load_before", "python", "sqlite", "honker"}


def test_each_figure_has_a_target_and_its_spread(quick):
    result, _ = quick
    assert {figure["key"] for figure in result["figures"]} == RATIOS | RATES
    for figure in result["figures"]:
        assert figure["target"] > 0
        for name in ("jobs_per_s", "baseline_per_s", "ratio") if figure["key"] in RATIOS else ("jobs_per_s",):
            assert figure[name].keys() == SPREAD
            assert 0 < figure[name]["lowest"] <= figure[name]["median"] <= figure[name]["highest"]


def test_a_quick_run_judges_nothing(quick):
    result, output = quick
    assert {figure["is_reached"] for figure in result["figures"]} == {None}
    assert "reached" not in output


def test_the_table_names_every_figure(quick):
    result, output = quick
    for figure in result["figures"]:
        assert figure["title"] in output
