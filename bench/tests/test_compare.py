"""`make bench-compare`: two revisions are measured in the same rounds."""

import re
import subprocess
import sys

import pytest

from tests.sql.loading import ROOT

BENCH = ROOT / "bench"


@pytest.fixture
def compare(monkeypatch):
    """The program, which compares this checkout with itself: no test builds a second one."""
    monkeypatch.syspath_prepend(BENCH)
    import compare as program  # noqa: PLC0415 - only here its folder is among those searched

    monkeypatch.setattr(program.revisions, "build", lambda revision: ROOT)
    return program


def test_ratios_of_all_measures(compare, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compare.py", "HEAD", "--rounds", "1", "--only", "enqueue", "claim_and_ack"])
    assert compare.main() == 0
    printed = capsys.readouterr().out
    for measure in ("enqueue", "claim and ack"):
        rates = re.search(rf"^{measure}  .*$", printed, re.MULTILINE)
        assert rates is not None, printed
        assert re.fullmatch(rf"{measure} +[\d,]+ +[\d,]+ +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d", rates[0].strip())


def test_every_measure_runs_on_a_side(compare, tmp_path):
    side = compare.revisions.side("side", ROOT)
    try:
        for name, rate in compare.MEASURES.items():
            side.open(path=str(tmp_path / f"{name}.db"))
            assert rate(side) > 0
    finally:
        side.kill()


@pytest.mark.parametrize("revision", ["no-such-branch", "--help-me", ""])
def test_an_unknown_revision_is_named(revision):
    command = [sys.executable, BENCH / "compare.py", "--", revision]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2
    assert f"REV is {revision!r}" in done.stderr
    assert "Traceback" not in done.stderr
