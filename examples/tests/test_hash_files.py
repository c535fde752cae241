"""`make demo` as seen by its users: a command, its output, its exit code and the resulting database.

Half-way through each run the demo kills a worker with SIGKILL; the output reports the outcome of its leases. Before
some runs the tests corrupt the results of an earlier run, as a bug in honker would, and the demo must notice.
"""

import hashlib
import importlib
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import honker
import pytest

from tests.support.locking import ask
from tests.support.waiting import wait_until

DEMO = Path(__file__).resolve().parents[2] / "examples" / "hash_files.py"
FILE_COUNT = 300
# Some seconds of work, so that a run can be interrupted before its end.
MANY = 4000
INTERRUPTED = 130


def command(directory, database, *options):
    return [sys.executable, "-W", "error", DEMO, directory, "--database", database, "--lease", "1", *options]


def run_demo(directory, database, *options, expect=0):
    """Run it to its end with the expected exit code, and return its output."""
    done = subprocess.run(
        command(directory, database, *options), capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert expect == 2 or done.stderr == ""
    return done.stdout


@contextmanager
def running_demo(directory, database):
    # A shell that runs the tests in its background ignores SIGINT, and children inherit that.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command(directory, database), stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, earlier)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def make_files(directory, count):
    """Make files of up to some hundred kilobytes, some empty, some in folders, with names that are not all ASCII."""
    chance = random.Random(4711)
    for number in range(count):
        folder = directory / ("plain", "with spaces", "größer/日本語")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        content = chance.randbytes(chance.choice((0, 1, 100, 5_000, 300_000)))
        (folder / f"file {number} é ü'\".txt").write_bytes(content)


def digests(directory):
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {bytes(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def done_count(database):
    """The number of hashed files; 0 while there is no database or no table."""
    try:
        return ask(database, "SELECT count(*) FROM files WHERE done_ns IS NOT NULL")[0][0]
    except sqlite3.OperationalError:
        return 0


def spoil(database, sql, *parameters):
    """Change one row without the demo."""
    with closing(sqlite3.connect(database)) as conn, conn:
        assert conn.execute(sql, parameters).rowcount == 1


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("files")
    make_files(directory, FILE_COUNT)
    return directory


@pytest.fixture(scope="module")
def finished(directory, tmp_path_factory):
    """A finished run: its database, to be copied, and its output."""
    database = tmp_path_factory.mktemp("finished") / "demo.db"
    return database, run_demo(directory, database)


@pytest.fixture
def database(finished, tmp_path):
    """A copy of a finished run's database, for a test to corrupt."""
    return Path(shutil.copy(finished[0], tmp_path / "demo.db"))


def test_the_demo_hashes_every_file_once(finished, directory):
    database, output = finished
    assert f"live 0   dead 0   done {FILE_COUNT}\n" in output
    assert re.search(rf"^ +{FILE_COUNT} +verified", output, re.MULTILINE)
    assert dict(ask(database, "SELECT path, digest FROM files")) == digests(directory)
    assert ask(database, "SELECT DISTINCT ack_count FROM files") == [(1,)]


def test_the_demo_shows_speed_and_latencies(finished):
    _, output = finished
    for label, figures in (("everything", 3), ("in a backlog", 3), ("wake", 3)):
        assert re.search(rf"^{label}(?: +[\d,.]+){{{figures}}} ", output, re.MULTILINE), label


def test_the_demo_kills_a_worker_and_others_take_over_its_leases(finished):
    _, output = finished
    killed = re.search(
        r"^killed +(\S+) \(pid \d+\) with SIGKILL after (\d+) files, holding (\d+) leases$", output, re.M
    )
    taken_over = re.search(r"^taken over +(\d+) leases, by (.+)$", output, re.M)
    assert killed, output
    assert taken_over, output
    assert FILE_COUNT / 2 <= int(killed[2]) < FILE_COUNT
    assert int(killed[3]) == int(taken_over[1]) > 0
    assert killed[1] not in taken_over[2]
    assert re.search(r"^attempts +2 for these jobs$", output, re.M)


def test_the_output_has_no_control_characters_where_there_is_no_terminal(finished):
    _, output = finished
    assert "\n" in output
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", output)


def test_an_interrupted_run_is_continued_by_the_next(tmp_path):
    directory, database = tmp_path / "many", tmp_path / "demo.db"
    directory.mkdir()
    for number in range(MANY):
        (directory / f"{number}.txt").write_text(f"{number}")
    with running_demo(directory, database) as demo:
        wait_until(lambda: done_count(database) >= 20, timeout_s=30)
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=20)
        assert demo.returncode == INTERRUPTED
        assert "continue" in output
    already = done_count(database)
    assert 20 <= already < MANY

    output = run_demo(directory, database)

    assert re.search(rf"^before +{already:,} ", output, re.MULTILINE)
    assert f"live 0   dead 0   done {MANY:,}\n" in output
    assert dict(ask(database, "SELECT path, digest FROM files")) == digests(directory)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("digest = 'spoilt'", "WRONG"),
        ("digest = NULL", "MISSING"),
        ("ack_count = 2", "ACKNOWLEDGED TWICE"),
        ("ack_count = 0", "FAULT: 300 files should be as many jobs"),
    ],
)
def test_the_demo_fails_if_one_file_is_not_right(directory, database, change, verdict):
    spoil(database, f"UPDATE files SET {change} WHERE id = 123")
    output = run_demo(directory, database, expect=1)
    assert verdict in output
    assert "NOT WELL" in output


def test_the_demo_fails_if_a_file_has_no_job(directory, database, tmp_path):
    forgotten = tmp_path / "forgotten"
    forgotten.touch()
    spoil(database, "INSERT INTO files (path, registered_ns, is_trickled) VALUES (?, 0, 0)", bytes(forgotten))
    output = run_demo(directory, database, expect=1)
    assert "MISSING" in output
    assert repr(str(forgotten)) in output


def test_a_file_that_changed_or_went_is_told_apart_from_a_fault(tmp_path):
    directory, database = tmp_path / "files", tmp_path / "files" / "demo.db"
    make_files(directory, 12)
    run_demo(directory, database)
    changed, deleted, *_ = sorted(directory.glob("plain/*"))
    changed.write_bytes(b"something else")
    deleted.unlink()
    with honker.open(database) as db, db.transaction() as tx:
        sql = "INSERT INTO files (path, registered_ns, is_trickled) VALUES (?, 0, 0) RETURNING id"
        file_id = tx.query(sql, (bytes(directory / "never there"),))[0]["id"]
        db.queue("hash files").enqueue({"file": file_id}, tx=tx)

    output = run_demo(directory, database)

    assert "live 0   dead 1   done 12\n" in output
    assert re.search(r"^ +10 +verified", output, re.MULTILINE)
    assert re.search(r"^ +1 +not comparable: the file was changed", output, re.MULTILINE)
    assert re.search(r"^ +2 +not comparable: the file cannot be read", output, re.MULTILINE)


def test_a_worker_that_lost_its_lease_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(DEMO.parent)
    store, walker, worker = (importlib.import_module(f"hashing.{name}") for name in ("store", "walker", "worker"))
    file = tmp_path / "file"
    file.touch()
    with honker.open(tmp_path / "demo.db") as db:
        store.create_table(db)
        queue = store.queue(db, 60)
        walker.register(db, queue, [bytes(file)])
        job = queue.claim_one("worker")
        queue.cancel(job.id)  # as good as expired: the lease is not held any more
        with pytest.raises(worker.LeaseLostError):
            worker.handle(db, job, worker.Renewal([job]))
        [row] = store.files(db)
    assert (row["digest"], row["done_ns"], row["ack_count"]) == (None, None, 0)


def test_fresh_begins_anew(directory, database):
    spoil(database, "UPDATE files SET digest = 'spoilt' WHERE id = 123")
    output = run_demo(directory, database, "--fresh", "--limit", "40")
    assert "live 0   dead 0   done 40\n" in output


def test_the_demo_refuses_the_database_of_another_application(directory, tmp_path):
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database)) as conn, conn:
        conn.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    run_demo(directory, database, "--fresh", expect=2)
    assert ask(database, "SELECT name FROM sqlite_master") == [("orders",)]
