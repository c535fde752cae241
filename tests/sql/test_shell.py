"""The `sqlite3` shell: the extension works without any programming language."""

import shutil
import subprocess

import pytest

from .loading import LIBRARY

SHELL = shutil.which("sqlite3")


def shell_can_load():
    """Some shells are built without `.load`."""
    if SHELL is None:
        return False
    answer = subprocess.run([SHELL, ":memory:", ".help load"], capture_output=True, text=True, timeout=30, check=False)
    return ".load" in answer.stdout


pytestmark = pytest.mark.skipif(not shell_can_load(), reason="there is no sqlite3 shell here that has .load")


@pytest.fixture
def session(tmp_path):
    """Run lines in a shell whose directory holds the library and the database, and return the output."""
    (tmp_path / LIBRARY.name).symlink_to(LIBRARY.resolve())

    def run(*lines, succeeds=True):
        script = "\n".join([".bail on", ".load ./libhonker_ext", *lines])
        done = subprocess.run(
            [SHELL, "app.db"], input=script, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
        )
        assert (done.returncode == 0) == succeeds, done.stderr
        return done.stdout.splitlines() if succeeds else done.stderr

    return run


def test_a_first_session(session):
    assert session(
        "SELECT honker_bootstrap();",
        "SELECT honker_enqueue('emails', '{\"to\":\"alice\"}', NULL, NULL, 0, 3, NULL);",
        "SELECT job.value ->> 'payload' FROM json_each(honker_claim_batch('emails', 'worker-1', 1, 60)) AS job;",
        "SELECT honker_ack(1, 'worker-1', 1);",
        "SELECT honker_ack(1, 'worker-1', 1);",
    ) == ["1", "1", '{"to":"alice"}', "1", "0"]


def test_the_entry_point_is_found_without_being_named(session):
    """SQLite derives `sqlite3_honkerext_init` from the file's name."""
    assert session("SELECT honker_bootstrap();") == ["1"]


def test_jobs_of_one_session_are_there_in_the_next(session):
    session(
        "PRAGMA journal_mode = WAL;",
        "SELECT honker_bootstrap();",
        "SELECT honker_enqueue('q', '[1]', NULL, NULL, 0, 3, NULL);",
    )
    assert session("SELECT payload, state FROM _honker_jobs;") == ["[1]|pending"]
    assert session("SELECT json_array_length(honker_claim_batch('q', 'w', 9, 60));") == ["1"]


def test_a_trigger_enqueues_together_with_the_row(session):
    assert session(
        "SELECT honker_bootstrap();",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT);",
        "CREATE TRIGGER order_placed AFTER INSERT ON orders BEGIN",
        "  SELECT honker_enqueue('receipts', json_object('order', NEW.id), NULL, NULL, 0, 3, NULL);",
        "END;",
        "INSERT INTO orders (customer) VALUES ('alice');",
        "BEGIN;",
        "INSERT INTO orders (customer) VALUES ('bob');",
        "ROLLBACK;",
        "SELECT payload FROM _honker_live;",
    ) == ["1", '{"order":1}']


def test_an_error_says_what_to_do(session):
    message = session("SELECT honker_enqueue('q', '{}', NULL, NULL, 0, 3, NULL);", succeeds=False)
    assert "HONKER_NOT_BOOTSTRAPPED" in message
    assert "SELECT honker_bootstrap()" in message
