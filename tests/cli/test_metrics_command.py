"""`honker metrics`: printed once, as JSON, and served over HTTP."""

import json
import signal
import socket
import subprocess
import urllib.request

import honker as package
import pytest
from honker.cli import main
from prometheus_client.parser import text_string_to_metric_families

from ..support.program import COMMAND, environment, honker, running


@pytest.fixture
def filled(db):
    db.queue("q").enqueue_many([1, 2, 3])
    db.stream("t").publish(1)
    db.stream("t").save_offset("c", 0)
    return db


def values(text):
    families = text_string_to_metric_families(text)
    return {(one.name, *sorted(one.labels.values())): one.value for family in families for one in family.samples}


def test_the_text_format_is_printed_once(filled, path):
    done = honker("metrics", path)
    assert (done.returncode, done.stderr) == (0, "")
    found = values(done.stdout)
    assert found["honker_jobs", "q", "ready"] == 3
    assert found["honker_stream_lag", "c", "t"] == 1


def test_json_has_a_line_for_each_value(filled, path, capsys):
    assert main.run(["metrics", str(path), "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ready = {"name": "honker_jobs", "type": "gauge", "labels": {"queue": "q", "state": "ready"}, "value": 3}
    assert ready in found
    assert {"name", "type", "labels", "value"} == set().union(*found)


def test_the_limit_bounds_each_list(filled, path, capsys):
    filled.queue("r").enqueue(1)
    assert main.run(["metrics", str(path), "--limit", "1"]) == 0
    found = values(capsys.readouterr().out)
    assert ("honker_jobs", "r", "ready") not in found
    assert found["honker_metrics_incomplete", "queues"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_they_are_served_on_loopback_until_a_signal(filled, path, number, code):
    with running("metrics", path, "--serve", "0") as served:
        url = served.expect_notice(r"honker: serving (http://127\.0\.0\.1:\d+/metrics)")[1]
        for count in (3, 4):
            with urllib.request.urlopen(url) as answer:
                assert answer.headers["Content-Type"].startswith("text/plain")
                assert values(answer.read().decode())["honker_jobs", "q", "ready"] == count
            filled.queue("q").enqueue(count)
        served.signal(number)
        assert served.end() == (code, "", "")


def test_an_address_of_every_machine_is_named(filled, path):
    with running("metrics", path, "--serve", "0.0.0.0:0") as served:
        served.expect_notice(r"honker: serving http://0\.0\.0\.0:\d+/metrics")
        served.expect_notice("honker: without a password, .*")


def test_an_address_in_use_is_an_error(filled, path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = honker("metrics", path, "--serve", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "cannot serve at 127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["host", "1:2:x", "99999", ""])
def test_a_wrong_address_is_a_usage_error(filled, path, address, capsys):
    assert main.run(["metrics", str(path), "--serve", address]) == 2
    assert "[HOST:]PORT" in capsys.readouterr().err


def test_serving_json_is_a_usage_error(filled, path, capsys):
    assert main.run(["metrics", str(path), "--serve", "0", "--json"]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_without_the_library_the_error_names_the_extra(filled, path, tmp_path):
    """A module of its name that cannot be imported stands for the missing package."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['prometheus_client'] = None", "utf-8")
    done = subprocess.run(
        [*COMMAND, "metrics", str(path)],
        env=environment(PYTHONPATH=f"{tmp_path}:{package.__path__[0]}/.."),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install honker-db[prometheus]" in done.stderr
