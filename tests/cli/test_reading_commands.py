"""Commands that only read make no database file, if the app of their target has none yet."""

import sqlite3
from contextlib import closing

import pytest

from ..support import program

SHOP = """
import honker

app = honker.App("app.db")


@app.task(queue="emails")
def send(n): ...
"""

READING = [
    ["top", "shop:app"],
    ["jobs", "shop:app"],
    ["job", "shop:app", "1"],
    ["dead", "shop:app"],
    ["queues", "shop:app"],
    ["streams", "shop:app"],
    ["locks", "shop:app"],
    ["workflows", "shop:app"],
    ["workers", "shop:app"],
    ["schedules", "shop:app"],
    ["queue", "show", "shop:app", "emails"],
    ["limits", "shop:app", "emails"],
    ["listen", "shop:app", "orders"],
    ["tail", "shop:app", "orders"],
    ["requeue", "shop:app", "1"],
    ["resume", "shop:app", "emails"],
    ["doctor", "shop:app"],
    ["backup", "shop:app", "copy.db"],
    ["migrate", "shop:app", "--dry-run"],
]


@pytest.fixture
def shop(write, tmp_path):
    write("shop.py", SHOP)
    return tmp_path


def files(folder):
    return sorted(each.name for each in folder.iterdir() if each.suffix == ".db")


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_reading_command_does_not_make_the_file_of_an_app(shop, command):
    done = program.honker(*command, cwd=shop)
    assert (done.returncode, files(shop)) == (2, [])
    assert "app.db' does not exist" in done.stderr


@pytest.mark.parametrize("command", [["jobs", "shop:app"], ["worker", "shop:app", "--list"]], ids=" ".join)
def test_a_reading_command_makes_no_tables_in_the_file_of_an_application(shop, command):
    with closing(sqlite3.connect(shop / "app.db")) as conn:
        conn.execute("CREATE TABLE orders (id)")
    done = program.honker(*command, cwd=shop)
    with closing(sqlite3.connect(shop / "app.db")) as conn:
        assert conn.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]
    assert "--list" in command or "has no honker tables, and was not changed" in done.stderr


def test_the_list_of_tasks_does_not_make_the_file(shop):
    done = program.honker("worker", "shop:app", "--list", "--queue", "emails", cwd=shop)
    assert (done.returncode, done.stderr, files(shop)) == (0, "", [])
    assert "shop.send  queue=emails" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["call", "shop:app", "shop.send", "--arg", "1"],
        ["enqueue", "shop:app", "emails", "1"],
        ["queue", "configure", "shop:app", "emails", "--concurrency", "3"],
        ["limits", "shop:app", "emails", "--concurrency", "3"],
        ["pause", "shop:app", "emails"],
    ],
    ids=" ".join,
)
def test_a_writing_command_makes_the_file_of_an_app(shop, command):
    done = program.honker(*command, cwd=shop)
    assert (done.returncode, files(shop)) == (0, ["app.db"])
    # A mistyped name would look the same, so commands that change a queue without jobs say so.
    is_told = command[0] not in {"call", "enqueue"}
    assert done.stderr == (
        "honker: the queue 'emails' has no jobs, settings, workers or schedules\n" if is_told else ""
    )
