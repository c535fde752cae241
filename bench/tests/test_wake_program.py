"""`bench/wake.py` runs, writes its results, and loses no wake. No test asserts speed."""

import json
import subprocess
import sys

import pytest

from tests.sql.loading import ROOT

GAPS = {0.3, 50}
SECTIONS = ("latency", "silence", "no-lost-wake")


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """The result of a quick run, as data, and the output. Its section of peers needs them installed."""
    output = tmp_path_factory.mktemp("bench") / "wake.json"
    command = [sys.executable, ROOT / "bench" / "wake.py", "--quick", "--output", output, "--sections", *SECTIONS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(output.read_text("utf-8"))["wake"], done.stdout


def test_latency_is_measured_for_each_way_and_gap(quick):
    result, _ = quick
    measured = {(row["gap_ms"], row["kind"], row["way"]) for row in result["extra"]["latency"]}
    ways = {("wake", "default"), ("wake", "polling"), ("wake", "pipe")}
    assert measured == {(gap, *way) for gap in GAPS for way in ways}
    for row in result["extra"]["latency"]:
        assert sum(row["bins"]) == row["count"] > 0


def test_the_first_commit_after_a_silence_is_measured(quick):
    result, _ = quick
    assert {(row["kind"], row["way"]) for row in result["extra"]["silence"]} == {
        ("wake", "default"),
        ("claim", "default"),
        ("pipe", "default"),
    }


def test_no_wake_is_lost(quick):
    result, _ = quick
    phases = result["extra"]["no_lost_wake"]
    assert {phase["writers"] for phase in phases} == {1, 4}
    for phase in phases:
        assert phase["commits"] > 0
        for consumer in phase["consumers"]:
            assert consumer["noticed"] == phase["commits"]


def test_every_target_has_a_figure_and_a_quick_run_judges_nothing(quick):
    result, output = quick
    keys = {each["key"] for each in result["targets"]}
    assert keys == {"wake_idle", "wake_busy", "wake_idle_p99", "wake_busy_p99", "wake_silence", "no_lost_wake"}
    assert {each["is_reached"] for each in result["targets"]} == {None}
    assert "not judged" in output
    assert "reached" not in output.lower()
