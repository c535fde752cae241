"""`make bench`: each program runs, checks itself and writes its results. No test asserts speed.

`bench/wake.py` has its own tests, `test_wake_program.py`.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.sql.loading import LIBRARY, ROOT

BENCH = ROOT / "bench"
MEASURES = {
    "enqueue": {"enqueue"},
    "group_commit": {"group_commit"},
    "bulk_enqueue": {"bulk_enqueue"},
    "claim_ack": {"claim", "claim_loop", "claim_backlog", "claim_batch"},
    "worker": {"worker", "worker_results", "worker_processes"},
    "workflow": {"workflow"},
    "record": {"record_one", "record_batch"},
    "stream": {"publish", "publish_per_commit", "read"},
    "contention": {"contention", "crowd_p99_ms", "crowd_fairness", "crowd_jobs_s"},
    "payloads": {f"{way} {size}" for way in ("enqueue", "claim") for size in ("1 KiB", "64 KiB", "1 MiB")},
    "idle": set(),
    "growth": set(),
    "inspection": {
        f"inspection {shape}"
        for shape in (
            "one dense queue",
            "half of the jobs, the oldest",
            "a tenth of the jobs, the oldest",
            "a rare queue, spread",
            "every state",
            "a thousand queues",
        )
    },
    "memory": {"memory"},
    "import_time": {"import"},
    "start": {"start"},
}


# Targets in comparison with a peer, which is left out here.
AGAINST_PEERS = {"claim_loop_tuned"}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The file of results of the quick runs below."""
    return tmp_path_factory.mktemp("bench") / "results.json"


@pytest.fixture
def support(monkeypatch):
    """The benchmark's own modules can be imported."""
    monkeypatch.syspath_prepend(BENCH)


def run(program, *arguments, environment=None, status=0):
    """Run a program of the benchmark, and return its output."""
    command = [sys.executable, "-W", "error", BENCH / f"{program}.py", *arguments]
    environment = {**os.environ, **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False, env=environment)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def read(path, program):
    return json.loads(path.read_text("utf-8"))[program]


@pytest.mark.parametrize("program", MEASURES)
def test_a_quick_run_measures_and_judges_nothing(program, results, support):
    from support import targets  # noqa: PLC0415 - only here its folder is among those searched

    printed = run(program, "--quick", "--without-peers", "--output", results)
    result = read(results, program)
    assert result["mode"] == "quick"
    assert {measure["key"] for measure in result["measures"]} == MEASURES[program]
    for measure in result["measures"]:
        assert measure["title"] in printed
        assert measure["ours"] in measure["figures"]
        for values in measure["figures"].values():
            assert len(values) == result["rounds"]
            assert min(values) > 0
    assert "reached" not in printed.lower()
    assert {each["is_reached"] for each in result["targets"]} <= {None}
    expected = {target.key for target in targets.TARGETS if target.program == program} - AGAINST_PEERS
    assert {each["key"] for each in result["targets"]} == expected


def test_the_report_shows_every_target_and_writes_the_documents(results, tmp_path):
    if not results.exists():
        pytest.skip("needs the results of the other tests")
    page, readme = tmp_path / "docs" / "benchmark.md", tmp_path / "README.md"
    page.parent.mkdir()
    for document in (page, readme):
        document.write_text("before\n<!-- bench:begin -->\nformer figures\n<!-- bench:end -->\nafter\n", "utf-8")
    copied = shutil.copy(results, tmp_path / "results.json")
    printed = run("report", "--results", copied, "--root", tmp_path)
    for document in (page, readme):
        text = document.read_text("utf-8")
        assert text.startswith("before\n<!-- bench:begin -->\n")
        assert text.endswith("<!-- bench:end -->\nafter\n")
        assert "former figures" not in text
    assert "- **enqueue**: " not in readme.read_text("utf-8")  # its line compares with a peer, which did not take part
    text = page.read_text("utf-8")
    for work in ("enqueue, one per commit", "8 processes on one file: total throughput"):
        assert work in printed
        assert work in text
    for picture in ("throughput", "claim_latency", "growth"):
        assert (page.parent / "plots" / f"{picture}.png").stat().st_size > 0
        assert f"](plots/{picture}.png)" in text


def test_the_reference_is_measured_where_its_interpreter_is_named(tmp_path):
    # This package stands in for the reference: both have the required calls. Peers get no path to our extension.
    reference = tmp_path / "python"
    reference.write_text(f"#!/bin/sh\nHONKER_EXTENSION_PATH='{LIBRARY}' exec '{sys.executable}' \"$@\"\n", "utf-8")
    reference.chmod(0o755)
    path = tmp_path / "bulk.json"
    run("bulk_enqueue", "--quick", "--output", path, environment={"HONKER_REFERENCE_PYTHON": str(reference)})
    assert "reference" in read(path, "bulk_enqueue")["measures"][0]["figures"]
    assert "reference" not in read(path, "bulk_enqueue")["left_out"]


def test_a_peer_that_cannot_be_started_is_named_and_the_others_go_on(tmp_path):
    path = tmp_path / "bulk.json"
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such module >&2\nexit 3\n", "utf-8")
    broken.chmod(0o755)
    printed = run("bulk_enqueue", "--quick", "--output", path, environment={"HONKER_REFERENCE_PYTHON": str(broken)})
    assert "reference is left out: reference: no such module" in printed
    assert {"sqlite3", "honker, inside one transaction"} <= read(path, "bulk_enqueue")["measures"][0]["figures"].keys()


def test_a_peer_that_fails_in_a_round_is_left_out_and_ours_ends_the_program(support, capsys):
    from support import program, rounds  # noqa: PLC0415
    from support.checks import CheckError, SideError  # noqa: PLC0415

    def failing(*, is_peer):
        def fail():
            raise SideError("it broke", is_peer=is_peer)

        return fail

    run = program.Run("enqueue", "quick", 2, None, True, None)
    seen = rounds.interleave(run, {"huey": failing(is_peer=True), "honker": lambda: 1.0})
    assert seen == {"honker": [1.0, 1.0]}
    assert run.left_out == {"huey": "it broke"}
    assert "huey is left out: it broke" in capsys.readouterr().out
    with pytest.raises(CheckError, match="it broke"):
        rounds.interleave(run, {"honker": failing(is_peer=False)})


def test_a_peer_that_cannot_be_installed_is_named_with_the_reason(support, tmp_path, monkeypatch, capsys):
    import install_peers  # noqa: PLC0415
    from support import peers  # noqa: PLC0415

    monkeypatch.setattr(peers, "PLACE", tmp_path)
    nothing = peers.Peer("nothing", f"nothing @ file://{tmp_path}/nothing.tar.gz", "huey_driver.py", {"nothing": ()})
    monkeypatch.setattr(peers, "PEERS", (nothing,))
    monkeypatch.setattr(peers, "POSTGRES_PEERS", ())
    install_peers.main()
    printed = capsys.readouterr().out
    assert "could not be installed and is left out: " in printed
    assert "nothing.tar.gz" in printed.partition("left out: ")[2]
    assert len(printed.splitlines()) == 1
    assert "nothing" in peers.commands()[1]


def test_a_job_that_was_handed_out_twice_is_an_error(support):
    from contention import check_once_each  # noqa: PLC0415
    from support.checks import CheckError  # noqa: PLC0415

    class Ours:
        name, is_peer = "honker", False

    check_once_each(Ours, [[0.1, [0, 1], {}], [0.1, [2], {}]], 3)
    with pytest.raises(CheckError, match="1 were handed out more than once and 0 never"):
        check_once_each(Ours, [[0.1, [0, 1], {}], [0.1, [2, 1], {}]], 3)
    with pytest.raises(CheckError, match="0 were handed out more than once and 1 never"):
        check_once_each(Ours, [[0.1, [0], {}], [0.1, [2], {}]], 3)


def test_a_wrong_count_ends_the_program(support, monkeypatch, tmp_path, capsys):
    import enqueue  # noqa: PLC0415
    from support import program  # noqa: PLC0415

    class LosingOne:
        """A side that reports ten jobs and a warm-up, but has only ten."""

        name, is_peer = "honker", False

        def open(self, path):
            """Opens nothing."""

        def enqueue(self, count, seconds):
            return count, 0.1

        def count(self):
            return 10

        close = count

    path = tmp_path / "enqueue.json"
    monkeypatch.setattr(sys, "argv", ["bench/enqueue.py", "--quick", "--output", str(path)])
    assert program.main("", lambda run: enqueue.once(run, LosingOne(), (10, 1.0), None)()) == 1
    assert "the figures would be wrong: jobs that honker has enqueued" in capsys.readouterr().err
    assert not path.exists()


def test_a_target_is_reached_at_its_bound_and_not_beyond(support):
    from support import targets  # noqa: PLC0415

    assert targets.judge("enqueue", 0.8, note="", is_judged=True)["is_reached"] is True
    assert targets.judge("enqueue", 0.79, note="", is_judged=True)["is_reached"] is False
    assert targets.judge("memory", 100, note="", is_judged=True)["is_reached"] is True
    assert targets.judge("memory", 100.1, note="", is_judged=True)["is_reached"] is False
    assert targets.judge("memory", 100.1, note="", is_judged=False)["is_reached"] is None


def test_the_newest_judged_figure_counts(support):
    from report import newest  # noqa: PLC0415

    def result(figure, is_reached):
        return {"targets": [{"key": "memory", "figure": figure, "is_reached": is_reached}]}

    assert newest([result(1, True), result(2, False)])["memory"]["figure"] == 2
    assert newest([result(1, True), result(2, None)])["memory"]["figure"] == 1
    assert newest([result(1, None), result(2, None)])["memory"]["figure"] == 2


def test_what_has_been_measured_with_this_build_is_left_out_when_resuming(support, tmp_path, monkeypatch):
    import suite  # noqa: PLC0415
    from support import results  # noqa: PLC0415

    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    assert not suite.is_measured("enqueue", "standard", "a")
    results.keep(tmp_path / "results.json", "enqueue", {"machine": {"build": "a"}})
    assert suite.is_measured("enqueue", "standard", "a")
    assert not suite.is_measured("enqueue", "standard", "b")
    assert not suite.is_measured("enqueue", "full", "a")


def test_a_result_replaces_the_older_one_of_the_same_program_and_no_other(support, tmp_path):
    from support import results  # noqa: PLC0415

    path = tmp_path / "results.json"
    results.keep(path, results.name_of("enqueue", "standard"), {"mode": "standard"})
    results.keep(path, results.name_of("enqueue", "full"), {"mode": "full"})
    results.keep(path, results.name_of("enqueue", "standard"), {"mode": "again"})
    assert results.read(path) == {"enqueue": {"mode": "again"}, "enqueue-full": {"mode": "full"}}
    assert list(tmp_path.iterdir()) == [path]


def test_growth_is_measured_against_the_logarithm_and_counting_from_its_limit_on(support):
    from growth import steepness  # noqa: PLC0415
    from support import shapes  # noqa: PLC0415

    def curve(time_of):
        return {size: {"median": time_of(size)} for size in (100, 10_000, 1_000_000)}

    counting = curve(lambda size: min(size, 10_000))
    curves = {"ready": {"flat": curve(lambda _: 5), "linear": curve(lambda size: size), shapes.STATS: counting}}
    factors = {operation: factor for factor, _, operation, _ in steepness(curves)}
    assert factors["flat"] == pytest.approx(1 / 3)
    assert factors["linear"] == pytest.approx(10_000 / 3)
    assert factors[shapes.STATS] == pytest.approx(1 / 1.5)
