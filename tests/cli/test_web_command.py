"""`honker web`: it listens, tells of commits, shows errors of the file, and ends."""

import json
import re
import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import honker
import httpx
import pytest

from ..support.program import honker as run, running
from ..support.waiting import wait_until

TOKEN = "a-token-of-sixteen-characters"


@pytest.fixture
def served(db, path):
    """The program on a file with one job, and its URL."""
    db.queue("emails").enqueue(1)
    with running("web", path, "--port", "0") as program:
        yield program, program.expect_notice(rf"honker: (http://127\.0\.0\.1:\d+/) shows {path}; Ctrl-C ends it")[1]


@contextmanager
def events(url):
    """The lines of the server-sent events, without empty ones, after the first event has come."""
    timeout = httpx.Timeout(20)
    with httpx.Client(timeout=timeout) as client, client.stream("GET", f"{url}events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = (line for line in answer.iter_lines() if line and line != "data:")
        assert [next(lines), next(lines)] == ["retry: 1000", "event: hello"]
        yield lines


def test_it_serves_the_page(served):
    _, url = served
    answer = httpx.get(url)
    assert answer.status_code == 200
    assert ">emails</a>" in answer.text
    assert httpx.get(url, headers={"host": "evil.example"}).status_code == 403


def test_a_commit_of_another_process_is_told_at_once(served, db):
    _, url = served
    with events(url) as lines:
        delays = []
        for _ in range(5):
            began = time.monotonic()
            db.queue("emails").enqueue(2)
            assert next(lines) == "event: change"
            delays.append(time.monotonic() - began)
            wait_until(lambda began=began: time.monotonic() > began + 0.3)  # the gap between two events
        assert min(delays) < 0.2, delays


def test_many_commits_give_few_events(served, db):
    _, url = served
    enough = threading.Event()

    def commit():
        while not enough.is_set():
            db.queue("emails").enqueue(2)

    with events(url) as lines, ThreadPoolExecutor(1) as pool:
        committing = pool.submit(commit)
        try:
            told_at = [time.monotonic() for _ in zip(lines, range(6), strict=False)]
        finally:
            enough.set()
        committing.result()
    # Five gaps of a quarter of a second, less the time for which this process may have been late to read the first one.
    assert told_at[-1] - told_at[0] > 0.9


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_it_at_once_while_a_browser_is_connected(served, number, code):
    program, url = served
    with events(url) as lines:
        began = time.monotonic()
        program.signal(number)
        exit_code, output, errors = program.end()
        assert (exit_code, output, errors.strip()) == (code, "", "")
        assert time.monotonic() - began < 5
        assert list(lines) == []


def test_a_locked_file_can_be_read_and_a_change_says_that_it_is_locked(served, path):
    _, url = served
    with httpx.Client(timeout=30) as client, closing(sqlite3.connect(path, isolation_level=None)) as other:
        client.get(url)
        other.execute("BEGIN IMMEDIATE")
        fields = {"name": "emails", "csrf": client.cookies["honker_csrf"]}
        assert client.get(url).status_code == 200
        locked = client.post(f"{url}queue/pause", data=fields)
        assert locked.status_code == 503
        assert "The database is locked" in locked.text
        assert locked.headers["retry-after"] == "3"
        other.execute("ROLLBACK")
        assert client.post(f"{url}queue/pause", data=fields).status_code == 303


def test_a_file_that_is_gone_gives_an_error_page_until_it_is_back(served, path):
    _, url = served
    away = path.with_name("away.db")
    path.rename(away)
    answer = wait_until(lambda: (each := httpx.get(url)).status_code == 503 and each, every_s=0.05)
    assert "The database file was replaced" in answer.text
    assert "is gone" in answer.text
    away.rename(path)
    wait_until(lambda: httpx.get(url).status_code == 200, every_s=0.05)


def test_another_address_needs_a_token(path, db):
    refused = run("web", path, "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "needs a token" in refused.stderr
    assert run("web", path, "--token", "short").returncode == 2


def test_a_token_comes_from_the_environment_and_opens_it(path, db, monkeypatch):
    monkeypatch.setenv("HONKER_WEB_TOKEN", TOKEN)
    with running("web", path, "--host", "0.0.0.0", "--port", "0") as program:
        port = re.search(r":(\d+)/", program.process.stderr.readline())[1]
        url = f"http://127.0.0.1:{port}/"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_root_path_is_that_of_a_proxy(path, db):
    with running("web", path, "--port", "0", "--root-path", "/ops", "--read-only") as program:
        url = re.search(r"(http://.*/ops/) ", program.process.stderr.readline())[1]
        text = httpx.get(url).text
        assert 'href="/ops/jobs"' in text
        # One proxy cuts the path off, another leaves it on.
        assert httpx.get(f"{url}jobs").text == httpx.get(f"{url.removesuffix('ops/')}jobs").text
        assert "read-only" in text


def test_a_port_in_use_and_a_missing_file_are_errors(path, db, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = run("web", path, "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 1
    assert "cannot listen on 127.0.0.1" in refused.stderr
    assert run("web", tmp_path / "missing.db").returncode == 2


def test_the_package_is_imported_without_the_extra():
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    code = (
        "import sys, json\n"
        "import honker, honker.web, honker.cli.main\n"
        "print(json.dumps([name for name in ('starlette', 'jinja2', 'uvicorn') if name in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert json.loads(out) == []
    assert honker.web.app.__doc__
