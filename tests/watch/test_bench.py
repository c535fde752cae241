"""`bench/wake.py`: that it runs and writes what it promises, and loses no wake. How fast, no test asserts."""

import json
import subprocess
import sys

import pytest

from ..sql.loading import ROOT

GAPS = {0.3, 5}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The result file of a quick run, as data, and what was printed."""
    output = tmp_path_factory.mktemp("bench")
    command = [sys.executable, ROOT / "bench" / "wake.py", "--quick", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((output / "wake.json").read_text("utf-8")), done.stdout


def test_latency_is_measured_for_each_way_and_gap(quick):
    result, _ = quick
    measured = {(row["gap_ms"], row["kind"], row["way"]) for row in result["latency"]}
    ways = {(kind, way) for kind in ("wake", "handler") for way in ("default", "polling", "shm")} | {("wake", "pipe")}
    assert measured == {(gap, *way) for gap in GAPS for way in ways}


def test_idle_cost_is_measured_for_each_way_of_listening(quick):
    result, _ = quick
    assert result["idle"]["forms"].keys() == {"asyncio", "asyncio polling", "threads", "claims"}
    assert result["idle"]["churn"]["before"].keys() == {"descriptors", "threads", "resident_kib"}


def test_no_wake_is_lost(quick):
    result, _ = quick
    assert {phase["writers"] for phase in result["no_lost_wake"]} == {1, 4, 8}
    for phase in result["no_lost_wake"]:
        assert phase["commits"] > 0
        for consumer in phase["consumers"]:
            assert consumer["noticed"] == phase["commits"]


def test_a_quick_run_judges_nothing(quick):
    _, output = quick
    assert "not judged" in output
    assert "reached" not in output.lower()
